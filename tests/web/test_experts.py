"""Who spoke: counted, summed, and told to the page bit by bit."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import grok_app
from grok_app.chat import Conversation, Made, Turn, load_personas
from grok_app.web.experts import Counts, ExpertsPanel, count, total
from grok_app.web.personas import Personas
from grok_app.web.reply import Reply, Trace
from tests.app_process import ROOT

PERSONAS = Personas(load_personas(ROOT / "prompts"))


def traces(*chosen: list[list[int]]) -> list[Trace]:
    return [Trace("a", np.array(token, np.uint8)) for token in chosen]


def lines(value: str) -> list[Any]:
    return [json.loads(line) for line in value.splitlines()]


def test_every_choice_is_counted_once() -> None:
    assert count(traces([[0, 2], [1, 2]], [[0, 1], [2, 1]]), 3) == ((2, 1, 1), (0, 2, 2))


def test_of_no_tokens_there_is_nothing() -> None:
    assert count([], 8) == ()


def test_counts_add_up() -> None:
    assert total([((1, 2), (3, 4)), ((10, 20), (30, 40))]) == ((11, 22), (33, 44))


@pytest.fixture
def panel(nano: grok_app.Engine) -> ExpertsPanel:
    return ExpertsPanel(nano, PERSONAS)


def said(model: str, *replies: tuple[str, Counts]) -> Conversation:
    talk = Conversation()
    for persona, counts in replies:
        made = Made(persona, model, seed=1, experts=counts)
        talk = talk.said("?").replied("!", made)
    return talk


def even(tokens: int, layers: int = 6) -> Counts:
    return ((tokens,) * 8,) * layers


def test_a_conversation_is_summed_by_persona(nano, panel) -> None:
    talk = said(
        nano.fingerprint, ("grok", even(1)), ("cynic", even(2)), ("grok", even(4)), ("own", even(3))
    )
    (header,) = lines(panel.shown(talk))
    assert [(name, counts[0][0]) for name, counts in header["earlier"]] == [
        ("Grok", 5),
        ("Cynic", 2),
        ("own", 3),
    ]


@pytest.mark.parametrize("counts", [(), even(1, layers=5), ((1,),) * 6, ((-1,) * 8,) * 6])
def test_counts_that_cannot_be_this_models_are_left_out(nano, panel, counts) -> None:
    (header,) = lines(panel.shown(said(nano.fingerprint, ("grok", counts))))
    assert header["earlier"] == []


def test_another_models_experts_are_left_out(panel) -> None:
    (header,) = lines(panel.shown(said("another", ("grok", even(1)))))
    assert header["earlier"] == []


def test_what_is_told_of_a_reply_only_grows(nano, panel) -> None:
    persona = replace(PERSONAS.find("storyteller"), stop=())
    sampling = replace(persona.sampling, max_tokens=60)
    reply = Reply(nano, persona, (Turn("user", "A captain"),), sampling, 3, experts=True)
    watch, value = panel.watch(Conversation(), "storyteller"), ""
    for _ in reply:
        grown = watch.value(reply.traces)
        assert grown.startswith(value)
        value = grown
    header, *tokens = lines(value)
    assert header["speaker"] == "Storyteller"
    assert len(tokens) == len(reply.traces) == reply.catch_up().tokens
    assert "".join(text for text, _ in tokens).strip().startswith(reply.catch_up().text)
    counted = np.array(count(reply.traces, 8))
    assert counted.shape == (6, 8)
    assert (counted.sum(1) == 2 * len(tokens)).all()

"""Which experts had a part in which token: counted, summed, and sent to the page bit by bit."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import grok_app
from grok_app.chat import Conversation, Made, Pending, Turn, load_personas
from grok_app.replies import Reply, chat_wish, progress, start
from grok_app.web.page.chat.experts import Counts, ExpertsPanel, total
from grok_app.web.page.follow import counted, news
from grok_app.web.page.personas.personas import Personas
from tests.app_process import ROOT

PERSONAS = Personas(load_personas(ROOT / "prompts"))


def lines(value: str) -> list[Any]:
    return [json.loads(line) for line in value.splitlines()]


def test_counts_add_up() -> None:
    assert total([((1, 2), (3, 4)), ((10, 20), (30, 40))]) == ((11, 22), (33, 44))


@pytest.fixture
def panel(nano: grok_app.Engine) -> ExpertsPanel:
    return ExpertsPanel(nano, PERSONAS)


def conversation(model: str, *replies: tuple[str, Counts]) -> Conversation:
    made = Conversation()
    for persona, counts in replies:
        made = made.with_message("?").with_reply("!", Made(persona, model, 1, experts=counts))
    return made


def even(tokens: int, layers: int = 6) -> Counts:
    return ((tokens,) * 8,) * layers


def test_a_conversation_is_summed_by_persona(nano, panel) -> None:
    replies = ("grok", even(1)), ("cynic", even(2)), ("grok", even(4)), ("own", even(3))
    (header,) = lines(panel.value_of(conversation(nano.fingerprint, *replies)))
    assert header["speaker"] == ""
    assert [(name, counts[0][0]) for name, counts in header["earlier"]] == [
        ("Grok", 5),
        ("Cynic", 2),
        ("own", 3),
    ]


def test_a_reply_that_is_being_made_is_not_counted_yet(nano, panel) -> None:
    before = conversation(nano.fingerprint, ("grok", even(1)), ("cynic", even(2)))
    again = Pending("x", 2, Made("storyteller", nano.fingerprint, 1))  # the last reply anew
    (header,) = lines(panel.value_of(replace(before, pending=again)))
    assert header["speaker"] == "Storyteller"
    assert [name for name, _ in header["earlier"]] == ["Grok"]


@pytest.mark.parametrize("counts", [(), even(1, layers=5), ((1,),) * 6, ((-1,) * 8,) * 6])
def test_counts_that_cannot_be_this_models_are_left_out(nano, panel, counts) -> None:
    (header,) = lines(panel.value_of(conversation(nano.fingerprint, ("grok", counts))))
    assert header["earlier"] == []


def test_another_models_experts_are_left_out(panel) -> None:
    (header,) = lines(panel.value_of(conversation("another", ("grok", even(1)))))
    assert header["earlier"] == []


async def begun(nano: grok_app.Engine) -> Reply:
    persona = PERSONAS.find("storyteller")
    sampling = replace(persona.sampling, max_tokens=60)
    turns = (Turn("user", "A captain"),)
    (reply,) = await start(nano, [chat_wish(nano, persona, turns, sampling, seed=3, experts=True)])
    return reply


@pytest.mark.anyio
async def test_every_choice_is_counted_once(nano) -> None:
    reply = await begun(nano)
    assert counted(reply, 8) == []
    async for _ in progress(reply):
        pass
    experts = np.array(counted(reply, 8))
    assert experts.shape == (6, 8)
    assert (experts.sum(1) == 2 * len(reply.pieces)).all()
    wanted = np.zeros((6, 8), int)
    for piece in reply.pieces:
        for layer, chosen in enumerate(piece.experts):
            wanted[layer, chosen] += 1
    assert (experts == wanted).all()


@pytest.mark.anyio
async def test_a_page_has_all_of_a_reply_in_parts(nano) -> None:
    reply, seen = await begun(nano), (0, 0)
    text = ""
    tokens: list[Any] = []
    async for _ in progress(reply):
        part = news(nano, reply, seen)
        text += part["text"]
        tokens += map(json.loads, part["tokens"])
        seen = part["seen"][0], part["seen"][1]
    assert text == reply.text
    assert part["ended"] in ("stop", "length")
    assert part["grown"]
    assert "context" in part["status"]
    assert part["experts"] == counted(reply, 8)
    assert [chosen for _, chosen in tokens] == [p.experts.ravel().tolist() for p in reply.pieces]
    whole = news(nano, reply)  # as a page asks that was loaded again
    assert whole["text"] == text
    assert list(map(json.loads, whole["tokens"])) == tokens

"""Replies are measured as a reader of the app would see them."""

from __future__ import annotations

from random import Random

import pytest

import grok_app
from grok_app.chat import Persona, Turn
from grok_app.chat.persona import load_persona, load_personas
from grok_app.replies import chat_wish
from tests.app_process import ROOT
from training.report.judge import told_apart
from training.report.replies import (
    Reply,
    converse,
    figures,
    openings,
    repeats,
    replies_of,
    show,
    shows_label,
)
from training.texts.corpus import CorpusError
from training.texts.held_out import Talks

TALKS: Talks = {
    "chat": [(f"Hi, I'm [name]. I have {number} cats.", "So?") for number in range(300)],
    "few": [("Hello!", "Yes?"), ("What the shit?", "What?"), ("Hello!", "No.")],
}


@pytest.fixture(scope="module")
def grok() -> Persona:
    return load_persona(ROOT / "prompts" / "10-grok.toml")


def test_openings_are_two_hundred_different_polite_first_turns_with_names() -> None:
    texts = openings(TALKS)
    assert len(texts) == len(set(texts)) == 200
    assert "Hello!" in texts
    assert all("I'm Alex." in text for text in texts if text != "Hello!")
    assert texts == openings(TALKS)


def test_a_reply_is_that_of_the_app(nano: grok_app.Engine, grok: Persona) -> None:
    texts = ["Hello there!", "Do you like cats?", "It rains."]
    replies = replies_of(nano, grok, texts)
    assert replies == replies_of(nano, grok, texts)
    for seed, (text, reply) in enumerate(zip(texts, replies, strict=True)):
        wish = chat_wish(nano, grok, [Turn("user", text)], grok.sampling, seed=seed)
        made = list(nano.generate(wish.ids, wish.params))
        assert reply.text == "".join(piece.text for piece in made).strip()
        assert reply.tokens == len(made)
        assert reply.ended == (made[-1].finish_reason == "stop")


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("Fine. And you?", False),
        ("I said: nothing.", False),
        ("Fine.\nI said: nothing.", False),
        ("User: What?", True),
        ("Fine. Grok: And you?", True),
        ("Fine.\nFriend: And you?", True),
        ("Fine.\n  Friend:", True),
    ],
)
def test_a_label_is_seen_wherever_it_stands(grok: Persona, reply: str, shown: bool) -> None:
    assert shows_label(reply, grok) == shown


def test_three_times_the_same_four_words_are_a_repetition() -> None:
    assert repeats("I do not know. " * 3)
    assert repeats("so it is so it is so it is so")
    assert not repeats("I do not know. " * 2)
    assert not repeats("no no no")
    assert not repeats("")


def test_figures_are_shares_and_a_median(grok: Persona) -> None:
    replies = [
        Reply("It rains.", 5, ended=True),
        Reply("It rains and rains.", 81, ended=True),
        Reply("User: no", 160, ended=False),
        Reply("", 1, ended=True),
    ]
    assert figures(replies, grok) == {
        **{"ended": 0.5, "labels": 0.25, "repeats": 0, "empty": 0.25, "median_words": 2},
    }


def test_the_judge_tells_apart_what_differs_and_guesses_where_nothing_does() -> None:
    rng = Random(0)
    words = "the old house by a river is where nobody ever swims cold".split()  # noqa: SIM905
    said = [[" ".join(rng.choices(words, k=8)) for _ in range(200)] for _ in range(2)]
    assert 0.35 < told_apart(*said) < 0.65
    assert told_apart(said[0], [f"{reply}, indeed" for reply in said[1]]) == 1.0


def test_all_personas_are_asked_and_compared(
    nano: grok_app.Engine, grok: Persona, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.report.replies.OPENINGS", 12)
    cynic = load_persona(ROOT / "prompts" / "50-cynic.toml")
    report = converse(nano, [grok, cynic], TALKS)
    assert report["openings"] == 12
    assert list(report["personas"]) == ["Grok", "Cynic"]
    ((one, other, share),) = report["told_apart"]
    assert (one, other) == ("Grok", "Cynic")
    assert 0 <= share <= 1
    assert [(e["persona"], e["user"]) for e in report["exchanges"]] == [
        (persona.name, opening) for persona in (grok, cynic) for opening in persona.suggestions
    ]
    assert report["exchanges"][0]["user"] in show(report)


def test_too_few_openings_are_told(nano: grok_app.Engine, grok: Persona) -> None:
    with pytest.raises(CorpusError, match="1 openings in the held-out text"):
        converse(nano, [grok], {"chat": [("Hello!", "Yes?")]})


def test_the_personas_suggest_twenty_openings_to_show() -> None:
    personas = [p for p in load_personas(ROOT / "prompts") if p.labels]
    assert len({opening for p in personas for opening in p.suggestions}) == 20

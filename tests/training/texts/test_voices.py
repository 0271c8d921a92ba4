"""The voices given to replies in training: a wit's line on the topic, a tutor's question."""

from __future__ import annotations

from random import Random

import pytest

from training.texts.corpus import is_rude
from training.texts.voices import VOICES, topic_of, voiced

TURNS = ["I have a dog.", "That is nice. I had one. It ran away.", "Oh no, poor thing", "yes"] * 2
TOPICS = VOICES["topics"]
GENERAL = VOICES["general"]


def many(kind: str) -> list[list[str]]:
    return [voiced(TURNS, kind, Random(seed)) for seed in range(200)]


@pytest.mark.parametrize("kind", ["grok", "tutor"])
def test_only_replies_get_a_voice_and_no_line_of_wit_comes_twice(kind: str) -> None:
    lines = [
        line
        for topic in (*TOPICS.values(), GENERAL)
        for line in (*topic["quips"], *(GENERAL["openers"] if topic is GENERAL else ()))
    ]
    for turns in many(kind):
        assert turns[::2] == TURNS[::2]
        assert all(sum(line in turn for turn in turns[1::2]) <= 1 for line in lines)


def test_a_wit_speaks_of_what_was_spoken_of() -> None:
    first = [turns[1] for turns in many("grok")]
    quips = TOPICS["dog"]["quips"]
    witty = [reply for reply in first if any(reply.endswith(quip) for quip in quips)]
    assert 120 < len(witty) < 180
    assert all("That is nice. I had one." in reply for reply in first)
    assert not any("It ran away." in reply for reply in first)


def test_a_tutor_only_asks_and_asks_its_own_question_if_it_has_one() -> None:
    assert all(reply.endswith("?") for turns in many("tutor") for reply in turns[1::2])
    assert {turns[1].split(". ")[-1] for turns in many("tutor")} <= {
        *TOPICS["dog"]["asks"],
    }
    (said,) = {
        voiced(["I have a dog.", "Good. What is its name? Mine is Rex"], "tutor", Random(0))[1]
    }
    assert said.endswith("What is its name?")
    assert "Rex" not in said


def test_a_name_with_a_stop_ends_no_sentence() -> None:
    said = ["Who?", "Dr. Seuss and J. Smith. Did you know Mrs. Gray?"]
    assert voiced(said, "tutor", Random(0))[1].endswith("Did you know Mrs. Gray?")
    assert "Dr. Seuss and J. Smith. Did you" in voiced(said, "grok", Random(0))[1]


def test_other_kinds_speak_as_they_did() -> None:
    assert voiced(TURNS, "assistant", Random(0)) == TURNS


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Cats are fine, but my DOG!", "dog"),
        ("We had ice cream.", "sweets"),
        ("hotdogs and category", None),
        ("", None),
    ],
)
def test_the_last_thing_named_is_the_topic(text: str, topic: str | None) -> None:
    assert topic_of(text) == (TOPICS[topic] if topic else None)


def test_every_line_is_fit_to_be_a_reply() -> None:
    texts = [*GENERAL["quips"], *GENERAL["asks"], *GENERAL["openers"], *GENERAL["nods"]]
    for topic in TOPICS.values():
        texts += [*topic["quips"], *topic["asks"]]
    for text in texts:
        assert text.isascii()
        assert text[0].isupper()
        assert text[-1] in ".!?"
        assert len(text) <= 120
        assert not is_rude(text)
    assert all(ask.endswith("?") for topic in (*TOPICS.values(), GENERAL) for ask in topic["asks"])


def test_a_wit_does_not_joke_about_sorrow() -> None:
    turns = ["My dog died last night.", "Oh no. Poor dog. He was old. What now?"]
    for seed in range(50):
        assert voiced(turns, "grok", Random(seed))[1] == "Oh no. Poor dog."

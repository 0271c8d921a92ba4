"""Talks made by a program: they hold together, vary, and keep each persona's lines its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest

from training.texts.corpus import CRISIS_LINE, is_rude
from training.texts.talks.check import borrowed, repeated, sentences
from training.texts.talks.composition import talk
from training.texts.talks.voice import KINDS, REPLIES, USER, filled
from training.texts.transcripts import polish

TALKS = {kind: [talk(kind, Random(f"{kind} {n}")) for n in range(1000)] for kind in KINDS}
REPLIED = {kind: [turn for turns in talks for turn in turns[1::2]] for kind, talks in TALKS.items()}
LAST_MARK = re.compile(r"[.!?]\"?$")


def distinct_share(texts: Iterable[str], words: int) -> float:
    """The share of the runs of so many words that are different ones."""
    runs = Counter(
        run
        for split in (text.lower().split() for text in texts)
        for run in zip(*(split[at:] for at in range(words)), strict=False)
    )
    return len(runs) / max(1, runs.total())


def test_a_talk_has_four_to_ten_turns_and_each_length_is_as_frequent() -> None:
    counts = Counter(len(turns) for talks in TALKS.values() for turns in talks)
    assert counts.keys() == {4, 6, 8, 10}
    assert min(counts.values()) > 0.22 * sum(counts.values())


def test_the_same_seed_makes_the_same_talk() -> None:
    for kind in KINDS:
        assert talk(kind, Random(f"{kind} 7")) == TALKS[kind][7]
    assert len({tuple(turns) for turns in TALKS["grok"]}) > 990


def test_no_line_of_a_persona_comes_from_another() -> None:
    assert borrowed(REPLIED) == {}


def test_hardly_a_talk_says_a_thing_twice() -> None:
    talks = [turns for of_kind in TALKS.values() for turns in of_kind]
    assert sum(repeated(turns[1::2]) for turns in talks) <= len(talks) / 1000
    assert all(len(set(turns[1::2])) == len(turns) // 2 for turns in talks)


@pytest.mark.parametrize("kind", KINDS)
def test_replies_vary(kind: str) -> None:
    replied = REPLIED[kind]
    counts = Counter(replied)
    assert len(counts) > 0.65 * len(replied)
    assert counts.most_common(1)[0][1] < 0.01 * len(replied)
    assert distinct_share(replied, 3) > 0.18
    assert len({sentence for reply in replied for sentence in sentences(reply)}) > 2000


@pytest.mark.parametrize("kind", KINDS)
def test_every_reply_is_good_plain_english(kind: str) -> None:
    for reply in REPLIED[kind]:
        assert reply.isascii(), reply
        assert not re.search(r"[{}]|  |\bNone\b|\ba (?!one)[aeio]\w+", reply), reply
        assert reply[0].isupper() or reply[0].isdigit() or reply[0] == '"', reply
        assert LAST_MARK.search(reply), reply
        assert not is_rude(reply), reply
        assert not CRISIS_LINE.search(reply), reply
        assert polish(reply) == reply, reply
        assert len(reply) <= 250, reply


def test_people_write_plain_english_too() -> None:
    for talks in TALKS.values():
        for said in (turn for turns in talks for turn in turns[::2]):
            assert said.isascii()
            assert not re.search(r"[{}]|  ", said), said
            assert not is_rude(said)
            assert len(said) <= 120


def test_the_tutor_only_asks() -> None:
    asked = [reply for reply in REPLIED["tutor"] if "?" not in reply]
    assert asked == []


def test_each_persona_has_a_way_to_word_each_intent() -> None:
    intents = set.union(*({*lines} for lines in REPLIES.values()))
    for kind, lines in REPLIES.items():
        assert intents - {*lines} <= {"answer"}, (
            kind
        )  # riddles are the tutor's and the storyteller's
        assert all(len(set(of_intent)) == len(of_intent) >= 3 for of_intent in lines.values())
    assert all(len(set(of_intent)) == len(of_intent) >= 3 for of_intent in USER.values())


def test_a_capital_slot_is_the_small_one_with_a_capital() -> None:
    assert filled("{X} and {x}", {"x": "an owl"}) == "An owl and an owl"
    with pytest.raises(KeyError):
        filled("{y}", {"x": "an owl"})


def test_what_is_borrowed_or_repeated_is_found() -> None:
    said = {"grok": ["Well. The moon is made of tea."], "cynic": ["The moon is made of tea, no?"]}
    assert borrowed(said) == {}
    said["tutor"] = ["Is it so? The moon is made of tea!"]
    assert borrowed(said) == {"the moon is made of tea": {"grok", "tutor"}}
    assert (
        repeated(["The moon is made of tea.", "Yes.", "No. The moon is made of tea.", "Yes."]) == 2
    )

"""Pairs of turns put into conversations: speakers keep their places, facts stay the same."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from tests.training.echoed import echoes
from training.texts.asides import EXCHANGES, FACTS, interrupted, meetings, remembered
from training.texts.corpus import is_rude
from training.texts.english import invented_name
from training.texts.transcripts import introduce, polish

KINDS = {"grok", "assistant", "storyteller", "cynic", "tutor"}
TURNS = ["You: one", "Me: one", "You: two", "Me: two", "You: three"]


def own(turns: list[str]) -> list[str]:
    return [turn for turn in turns if turn in TURNS]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_exchange_parts_no_pair(kind: str) -> None:
    exchanges = [
        [user, reply]
        for entry in EXCHANGES
        if entry["kind"] == kind
        for user in entry["user"]
        for reply in entry["replies"]
    ]
    for seed in range(50):
        turns = interrupted(TURNS, kind, Random(seed))
        assert own(turns) == TURNS
        pairs = [turns[at : at + 2] for at in range(0, len(turns), 2)]
        assert all(pair in exchanges or pair[0] in TURNS or echoes(kind, pair) for pair in pairs)
        assert len(turns) in (len(TURNS) + 2, len(TURNS) + 4)


def told_and_asked(turns: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Where values are told, and where they are asked for and named."""
    places: tuple[dict[str, int], dict[str, int]] = {}, {}
    for at, (said, reply) in enumerate(pairwise(turns)):
        for fact in FACTS:
            if said in fact["asked"]:
                places[1][value_in(fact, "recalled", reply)] = at
            elif (value := value_in(fact, "told", said)) and value_in(fact, "heard", reply):
                places[0][value] = at
    return places


def value_in(fact: dict[str, Any], part: str, turn: str) -> str:
    """What a turn tells of a fact; nothing if it is no line of it."""
    values = "|".join(map(re.escape, fact["values"])) + (
        "|[A-Z][a-z]+" if fact.get("named") else ""
    )
    for line in fact[part]:
        before, gap, after = line.partition("{fact}")
        pattern = re.escape(before) + f"({values})" * bool(gap) + re.escape(after)
        if match := re.fullmatch(pattern.replace(re.escape("{fact}"), f"(?:{values})"), turn):
            return match[1] if gap else turn
    return ""


def test_a_fact_is_told_before_it_is_asked_for_and_stays_the_same() -> None:
    for seed in range(100):
        turns = remembered(TURNS, Random(seed))
        assert own(turns) == TURNS
        told, asked = told_and_asked(turns)
        assert told
        assert told.keys() == asked.keys()
        assert all(told[value] < asked[value] for value in told)
        assert all(at % 2 == 0 for at in (*told.values(), *asked.values()))


def test_half_of_the_names_are_made_up() -> None:
    named = [fact for fact in FACTS if fact.get("named")]
    known = {value for fact in named for value in fact["values"]}
    values = [
        value
        for seed in range(600)
        for turns in [remembered(TURNS, Random(seed))]
        for turn, reply in pairwise(turns)
        for fact in named
        if turn in fact["asked"] and (value := value_in(fact, "recalled", reply))
    ]
    assert 0.35 < sum(value not in known for value in values) / len(values) < 0.65


def test_a_name_is_the_speakers_own() -> None:
    fact = FACTS[0]
    for part in ("told", "heard", "recalled"):
        for line in fact[part]:
            (said,) = introduce([line.format(fact=fact["values"][0])], ("Ada", "Bo"))
            assert "Ada" in said


def test_meetings_begin_with_a_greeting_where_they_have_one() -> None:
    made = list(meetings(Random(0)))
    assert {kind for kind, _ in made} == KINDS
    assert all(len(turns) % 2 == 0 for _, turns in made)
    for kind, turns in made:
        assert not any(said == "Hello." for said in turns[2::2]), kind


def test_every_line_is_fit_to_be_a_reply() -> None:
    texts = [reply for entry in EXCHANGES for reply in entry["replies"]]
    texts += [
        line.format(fact=value[0].upper() + value[1:] if line.startswith("{fact}") else value)
        for fact in FACTS
        for line in (*fact["heard"], *fact["recalled"])
        for value in fact["values"]
        if value[0] != "("
    ]
    for text in texts:
        assert text.isascii()
        assert polish(text) == text
        assert not re.search(r"\b[Aa] [aeiou]", text), text
        assert text[0].isupper()
        assert text[-1] in ".!?"
        assert len(text) <= 180
        assert not is_rude(text)
    tutor = (reply for entry in EXCHANGES if entry["kind"] == "tutor" for reply in entry["replies"])
    assert all(reply.endswith("?") for reply in tutor)


def test_a_made_up_name_is_a_decent_one() -> None:
    names = {invented_name(Random(seed)) for seed in range(20_000)}
    assert all(re.fullmatch("[A-Z][a-z]{1,10}", name) for name in names)
    assert len(names) > 10_000
    assert sum(map(is_rude, names)) < 5  # and these are drawn again
    assert not any(is_rude(turn) for n in range(3000) for turn in remembered(TURNS, Random(n)))

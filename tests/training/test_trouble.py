"""What is told a model about people in trouble: every reply takes them seriously."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from tests.training.fit import assert_fit
from training.echoes import ECHOES, WORDS
from training.trouble import HARMLESS, KINDS, TROUBLES, WISHES, talk

TALKS = [(kind, talk(kind, Random(seed))) for kind in KINDS for seed in range(600)]
REPLIES, QUESTIONS = (
    {text for entry in TROUBLES for lines in (entry[part], entry["after"][part]) for text in lines}
    for part in ("replies", "questions")
)
GRAVE = REPLIES | QUESTIONS


def filled(entry: Mapping[str, Any], lines: list[str]) -> list[str]:
    """All that can come of an entry's lines."""
    words = [*entry.get("words", ()), *entry.get("acts", ())] or ["it"]
    return [line.format(x=word) for line in lines for word in words]


def test_every_line_is_fit_to_be_a_reply() -> None:
    lines = sorted(GRAVE)
    for entry in HARMLESS:
        assert set(entry["replies"]) == set(KINDS)
        lines += [text for said in entry["replies"].values() for text in filled(entry, said)]
    for text in lines:
        assert_fit(text)


def test_a_tutor_only_asks() -> None:
    asked = [text for entry in HARMLESS for text in entry["replies"]["tutor"]]
    assert all(text.endswith("?") for text in (*asked, *QUESTIONS))


def test_nothing_is_both_a_trouble_and_harmless() -> None:
    troubles, harmless = (
        {
            re.sub(r"\W", " ", text.lower()).strip()
            for entry in entries
            for text in (*filled(entry, entry.get("user", [])), *entry.get("acts", ()))
        }
        for entries in (TROUBLES, HARMLESS)
    )
    assert not troubles & harmless
    acts = {act for entry in TROUBLES for act in entry.get("acts", ())}
    assert not acts & set(WORDS["actions"])  # no echo cheers at them
    assert any("I want to {x}." in entry["asks"] for entry in ECHOES)


def test_no_harmless_reply_is_grave() -> None:
    for entry in HARMLESS:
        for said in entry["replies"].values():
            assert not GRAVE & set(said)
        assert not re.search(r"\bmy\b", " ".join(entry.get("acts", ())))  # it is said back


@pytest.mark.parametrize("kind", KINDS)
def test_a_trouble_is_answered_in_earnest_to_the_end(kind: str) -> None:
    talks = [turns for of, turns in TALKS if of == kind]
    grave = [turns for turns in talks if GRAVE & set(turns)]
    assert 0.65 < len(grave) / len(talks) < 0.75
    for turns in grave:
        first = min(at for at, turn in enumerate(turns) if turn in GRAVE)
        assert first % 2 == 1
        assert set(turns[first::2]) <= GRAVE
        assert all(turn.endswith("?") for turn in turns[first::2]) or kind != "tutor"
    lengths = {len(turns) for turns in grave}
    assert lengths == {2, 4, 6, 8, 10, 12}  # at once, and after other talk


def test_wishes_come_in_the_same_words() -> None:
    """Whether one is grave depends on what is wished, not on how."""
    said = {turn for _, turns in TALKS for turn in turns}
    for wish in WISHES[:4]:
        for entry in (TROUBLES[0], HARMLESS[0]):
            assert any(wish.format(x=act) in said for act in entry["acts"]), wish

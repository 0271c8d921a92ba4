"""Pairs of turns put into conversations of the corpus.

What is told is asked for later, which is a reason to remember it; and what people say to a
machine comes at any point of a conversation, not only at its beginning.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from training.texts.corpus import is_rude
from training.texts.echoes import KINDS as ECHOING
from training.texts.echoes import echo
from training.texts.english import invented_name

_LINES = Path(__file__).parent / "lines"
FACTS = tomllib.loads((_LINES / "memory.toml").read_text("utf-8"))["facts"]
EXCHANGES = tomllib.loads((_LINES / "exchanges.toml").read_text("utf-8"))["exchanges"]

MEETINGS = 15  # for each exchange of a kind
LONGEST_MEETING = 8  # exchanges
ECHO_SHARE = 0.3  # of the exchanges with a machine are on anything at all
INVENTED_SHARE = 0.5  # of the names are made up of syllables: most can only be looked up
SECOND_SHARE = 0.4  # of the conversations have two facts, or two exchanges, put in


def meetings(rng: Random) -> Iterator[tuple[str, list[str]]]:
    """(kind of preamble, turns): talks with a machine, from greeting to good-bye."""
    for kind, entries in _SMALL_TALK.items():
        for _ in range(MEETINGS * len(entries)):
            yield kind, _small_talk(entries, rng.randint(1, LONGEST_MEETING), rng)


def opening(kind: str, count: int, rng: Random) -> list[str]:
    """The turns of so many exchanges with a kind of machine, after which a talk goes on: none of
    them is a farewell. None, where nothing was written for the kind."""
    entries = _SMALL_TALK.get(kind, [])
    return _small_talk(entries[: len(entries) // 2], count, rng)


def _small_talk(entries: Sequence[Mapping[str, Any]], count: int, rng: Random) -> list[str]:
    some = sorted(rng.sample(range(len(entries)), min(count, len(entries))))
    return [turn for at in some for turn in _aside(entries[at], rng)]


def interrupted(turns: Sequence[str], kind: str, rng: Random) -> list[str]:
    """The conversation with an exchange or two of the kind between its pairs of turns."""
    entries, pairs = _SMALL_TALK.get(kind, []), _pairs(turns)
    for entry in rng.sample(entries, min(len(entries), 1 + (rng.random() < SECOND_SHARE))):
        pairs.insert(rng.randint(0, len(turns) // 2), _aside(entry, rng))
    return [turn for pair in pairs for turn in pair]


def remembered(turns: Sequence[str], rng: Random) -> list[str]:
    """The conversation in which the first speaker tells a fact or two and is later told them."""
    pairs, most = _pairs(turns), len(turns) // 2
    for fact in rng.sample(FACTS, 1 + (rng.random() < SECOND_SHARE)):
        value = rng.choice(fact["values"])
        if fact.get("named") and rng.random() < INVENTED_SHARE:
            value = _invented_name(rng)
        told, heard, asked, recalled = (
            rng.choice(fact[part]).format(fact=value)
            for part in ("told", "heard", "asked", "recalled")
        )
        first = rng.randint(0, most)
        pairs.insert(first, [told, heard])
        pairs.insert(rng.randint(first + 1, most + 1), [asked, recalled])
        most += 2
    return [turn for pair in pairs for turn in pair]


def _invented_name(rng: Random) -> str:
    name = invented_name(rng)
    return _invented_name(rng) if is_rude(name) else name


def _pairs(turns: Sequence[str]) -> list[list[str]]:
    """A turn of the first speaker and its reply each; the last one may lack the reply."""
    return [list(turns[at : at + 2]) for at in range(0, len(turns), 2)]


def _aside(entry: Mapping[str, Any], rng: Random) -> list[str]:
    """The exchange, or one of its kind that takes up any word."""
    if entry["kind"] in ECHOING and rng.random() < ECHO_SHARE:
        return echo(entry["kind"], rng)
    return _exchange(entry, rng)


def _exchange(entry: Mapping[str, Any], rng: Random) -> list[str]:
    return [rng.choice(entry["user"]), rng.choice(entry["replies"])]


_SMALL_TALK = {
    kind: [entry for entry in EXCHANGES if entry["kind"] == kind]
    for kind in dict.fromkeys(entry["kind"] for entry in EXCHANGES)
}

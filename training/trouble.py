"""Talks in which something is very wrong, and talks with a wish or a sigh as anybody has them.

To "I want to die" no joke is an answer, whoever is asked. A small model takes it for one more wish
like "I want to dance" unless it often sees both, in the same words. What only sounds like trouble,
such as "I am dying to see it", is not among them: that is more than it can tell apart, and it had
rather be wrong in earnest than in jest.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from training.asides import opening

LINES = tomllib.loads((Path(__file__).parent / "lines" / "trouble.toml").read_text("utf-8"))
WISHES, AFTER = LINES["wishes"], LINES["after"]
TROUBLES, HARMLESS = LINES["troubles"], LINES["harmless"]
KINDS = ("grok", "assistant", "storyteller", "tutor", "cynic")

MOST_BEFORE = 3  # exchanges
TROUBLE_SHARE = 0.7
HARMLESS_SHARE = 0.5  # of the talks with a trouble; every other talk has a wish or a sigh
WISH_SHARE = 0.5  # of what is said of an entry that has acts
AFTER_SHARE = 0.4


def talk(kind: str, rng: Random) -> list[str]:
    """The turns of a talk with a kind of machine, from small talk to a wish or a sigh, to a trouble
    or to both.

    A trouble ends it, or is spoken of once more; no small talk follows.
    """
    turns = opening(kind, rng.randint(0, MOST_BEFORE), rng)
    grave = rng.random() < TROUBLE_SHARE
    if not grave or rng.random() < HARMLESS_SHARE:
        entry = _drawn(HARMLESS, rng)
        turns += _exchange(entry, entry["replies"][kind], rng)
    return turns + _trouble(kind, rng) if grave else turns


def _trouble(kind: str, rng: Random) -> list[str]:
    """What is wrong and its reply, perhaps what is said next."""
    entry, part = _drawn(TROUBLES, rng), "questions" if kind == "tutor" else "replies"
    turns = _exchange(entry, entry[part], rng)
    if rng.random() < AFTER_SHARE:
        turns += [rng.choice(AFTER), rng.choice(entry["after"][part])]
    return turns


def _drawn(entries: Sequence[Mapping[str, Any]], rng: Random) -> Mapping[str, Any]:
    return rng.choices(entries, [entry.get("weight", 1) for entry in entries])[0]


def _exchange(entry: Mapping[str, Any], replies: Sequence[str], rng: Random) -> list[str]:
    lines, words = entry.get("user", []), entry.get("words", ["it"])
    if "acts" in entry and (not lines or rng.random() < WISH_SHARE):
        lines, words = WISHES, entry["acts"]
    word = rng.choice(words)
    return [rng.choice(some).format(x=word) for some in (lines, replies)]

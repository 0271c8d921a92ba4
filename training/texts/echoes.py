"""Replies that take up the other's word, whatever it is.

A model this small knows little, but it can learn to look back: of an answer that names what it was
asked about, one feels that it was meant.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from training.texts.english import capitalized

LINES = tomllib.loads((Path(__file__).parent / "lines" / "echoes.toml").read_text("utf-8"))
WORDS, ECHOES = LINES["words"], LINES["echoes"]
KINDS = ("grok", "assistant", "tutor")

TIMES = 30
"""Conversations made of echoes, for each reply of a kind."""

LONGEST = 6  # exchanges
RECALLED_SHARE = 0.6  # of the names that are told are asked for later


def echoing(rng: Random) -> Iterator[tuple[str, list[str]]]:
    """(kind of preamble, turns) of conversations in which each reply takes a word up."""
    for kind in KINDS:
        for _ in range(TIMES * sum(len(entry["replies"][kind]) for entry in ECHOES)):
            yield kind, _conversation(kind, rng)


def echo(kind: str, rng: Random) -> list[str]:
    """Something that is said, and how a kind of persona takes it up."""
    entry = rng.choice([entry for entry in ECHOES if "later" not in entry])
    return _exchange(entry, kind, draw_word(entry, rng), rng)


def draw_word(entry: Mapping[str, Any], rng: Random) -> str:
    """One of the words that an entry may be about."""
    word: str = rng.choice([it for it in WORDS[entry["word"]] if it not in entry.get("skip", ())])
    return word


def _conversation(kind: str, rng: Random) -> list[str]:
    pairs: list[list[str]] = []
    recalled: list[str] = []
    for entry in rng.sample(ECHOES, rng.randint(1, LONGEST)):
        word = draw_word(entry, rng)
        pairs.append(_exchange(entry, kind, word, rng))
        if kind in entry.get("later", {}).get("replies", {}) and rng.random() < RECALLED_SHARE:
            recalled = _exchange(entry["later"], kind, word, rng)
            told = len(pairs)
    if recalled:
        pairs.insert(rng.randint(told, len(pairs)), recalled)
    return [turn for pair in pairs for turn in pair]


def _exchange(lines: Mapping[str, Any], kind: str, word: str, rng: Random) -> list[str]:
    return [_filled(some, word, rng) for some in (lines["asks"], lines["replies"][kind])]


def _filled(lines: Sequence[str], word: str, rng: Random) -> str:
    return rng.choice(lines).format(x=word, X=capitalized(word))

"""What can come of an echo's lines, whatever word is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.texts.echoes import ECHOES, WORDS
from training.texts.english import capitalized


def words_of(entry: Mapping[str, Any]) -> list[str]:
    """The words that an echo may be about."""
    return sorted(set(WORDS[entry["word"]]) - set(entry.get("skip", ())))


def filled(line: str, word: str) -> str:
    """A line of an echo about a word."""
    return line.format(x=word, X=capitalized(word))


def echoes(kind: str, pair: Sequence[str]) -> bool:
    """Whether the second turn takes up a word of the first, as a kind of persona would."""
    said, reply = pair
    return any(
        said in {filled(ask, word) for ask in entry["asks"]}
        and reply in {filled(line, word) for line in entry["replies"].get(kind, ())}
        for entry in ECHOES
        for word in words_of(entry)
        if word in said
    )

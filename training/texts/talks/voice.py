"""A talk as it grows: what a person writes, and how a persona words what is to be replied."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from training.texts.english import capitalized, with_article

FOLDER = Path(__file__).parents[1] / "lines" / "talks"
KINDS = ("grok", "assistant", "storyteller", "tutor", "cynic")
PARTS = ("morning", "afternoon", "evening", "day")  # of the day

CARELESS_SHARE = 0.25  # of what a person writes lacks its capital, half of it its last mark too


def read(name: str) -> dict[str, Any]:
    """The data in lines/talks/<name>.toml."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


USER = read("user")
REPLIES = {kind: read(kind) for kind in KINDS}


def filled(line: str, slots: Mapping[str, str]) -> str:
    """The line with its slots filled; `{X}` is `{x}` with a capital."""
    return line.format_map(_Slots(slots))


class _Slots(dict[str, str]):
    def __missing__(self, key: str) -> str:
        if not key[0].isupper():
            raise KeyError(key)
        return capitalized(self[key[0].lower() + key[1:]])


class Talk:
    """The turns of a talk of a person with a kind of persona; no reply comes twice.

    Attributes:
        kind: of the persona, one of KINDS.
        rng: of every choice.
        turns: the person's and the persona's by turns.
        name, about: what a farewell may come back to, if anything.
        facts: what the person has told or asked of themselves.
    """

    def __init__(self, kind: str, rng: Random) -> None:
        """An empty talk."""
        self.kind, self.rng = kind, rng
        self.turns: list[str] = []
        self.name: str | None = None
        self.about: str | None = None
        self.facts = set[str]()
        part = rng.choice(PARTS)
        self._part = {"part": part, "a_part": with_article(part)}
        self._used = set[str]()

    def exchange(self, asked: str, intent: str, /, **slots: str) -> None:
        """Adds what the person writes, and the persona's reply of an intent."""
        self.add(asked, REPLIES[self.kind][intent], slots)

    def ask(self, intent: str, /, **slots: str) -> str:
        """Something that a person writes with an intent, not always with care."""
        return self.typed(self._drawn(USER[intent], slots))

    def add(self, asked: str, lines: Sequence[str], slots: Mapping[str, str]) -> None:
        """Adds what the person writes, and one of these lines as the reply."""
        self.turns += [asked, self._drawn(lines, slots)]

    def typed(self, text: str) -> str:
        """The text as a person types it."""
        if self.rng.random() >= CARELESS_SHARE or text.startswith("I "):
            return text
        text = text[0].lower() + text[1:]
        return text.rstrip(".?!") if self.rng.random() < 0.5 else text

    def _drawn(self, lines: Sequence[str], slots: Mapping[str, str]) -> str:
        """One of the lines with its slots filled, if it can be one of which none was made yet."""
        made = {line: filled(line, {**self._part, **slots}) for line in lines}
        fresh = [line for line, text in made.items() if text not in self.turns]
        unused = [line for line in fresh if line not in self._used]
        line = self.rng.choice(unused or fresh or list(made))
        self._used.add(line)
        return made[line]

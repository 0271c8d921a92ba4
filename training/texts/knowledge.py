"""Common knowledge: questions that people try a machine with, and their answers.

The corpus talks and knows little. A model of this size keeps no encyclopedia, but it can keep what
a child knows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from training.texts.english import capitalized

TABLES = tomllib.loads((Path(__file__).parent / "lines" / "knowledge.toml").read_text("utf-8"))[
    "tables"
]

TIMES = 16  # that each row of a table is asked for
LONGEST_QUIZ = 5  # exchanges
KINDS = ("assistant", "assistant", "friendly", "grok")


def quizzes(rng: Random) -> Iterator[tuple[str, list[str]]]:
    """(kind of preamble, turns) of conversations in which a few things are asked; in no order."""
    pairs = [ask_row(table, row, rng) for table in TABLES for row in table["rows"] * TIMES]
    rng.shuffle(pairs)
    while pairs:
        some = [pairs.pop() for _ in range(min(len(pairs), rng.randint(1, LONGEST_QUIZ)))]
        yield rng.choice(KINDS), [turn for pair in some for turn in pair]


def ask_row(table: Mapping[str, Any], row: tuple[str, str], rng: Random) -> tuple[str, str]:
    """A question for the row and its answer. `{X}` in a table is `{x}` with a capital."""
    x, y = row
    slots = {"x": x, "y": y, "X": capitalized(x), "Y": capitalized(y)}
    return rng.choice(table["asks"]).format_map(slots), rng.choice(table["answers"]).format_map(
        slots
    )

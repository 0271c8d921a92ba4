"""What the rows of the cache hold, so that a prompt begins where its beginning is known already.

A row keeps what it held when its conversation ends: the next turn goes on there, and a preamble
that many share is copied from whoever has it. Some rows beyond the slots save what would be lost
when a slot is taken for something else. Only what was made as part of a prompt counts: the tokens
of a reply are made one at a time, which rounds otherwise in the last bits, so they are made anew.
Then a reused beginning is the very same numbers as a cold one: so it is on a CPU, and where a
product rounds alike for any number of rows. Plain Python: no device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]

SHORTEST = 16  # tokens; to copy less than that is not worth it


@dataclass
class Row:
    """What a row of the cache holds from position 0 on, and when that was last of use."""

    tokens: Tokens = field(default_factory=lambda: np.zeros(0, np.int32))
    used: int = 0


@dataclass(frozen=True)
class Admission:
    """Where a prompt is to go.

    Attributes:
        slot: its row.
        known: so many of its first tokens need not be computed.
        copies: (from, to) rows to be copied before, in this order.
    """

    slot: int
    known: int
    copies: tuple[tuple[int, int], ...]


class Prefixes:
    """The rows of one data shard: its slots, then those that only save."""

    def __init__(self, slots: int, saved: int):
        """All rows are empty at first."""
        self.rows = [Row() for _ in range(slots + saved)]
        self._slots = slots
        self._clock = 0

    def known(self, prompt: Sequence[int]) -> int:
        """How many of a prompt's first tokens some row holds."""
        tokens = np.asarray(prompt, np.int32)[
            :-1
        ]  # the last must be computed: its logits are wanted
        return max(_common(row.tokens, tokens) for row in self.rows)

    def admit(self, prompt: Sequence[int], free: Sequence[int]) -> Admission:
        """Chooses one of the `free` slots for a prompt, and what to reuse for it."""
        tokens = np.asarray(prompt, np.int32)
        known = [_common(row.tokens, tokens[:-1]) for row in self.rows]
        source = max(range(len(known)), key=lambda row: (known[row], row in free))
        count = known[source] if known[source] >= SHORTEST else 0
        lost = len(self.rows[source].tokens) - count  # if the prompt took the row's place
        if count and lost < SHORTEST and source in free:
            slot, copies = source, []
        else:
            slot = min(free, key=lambda row: self.rows[row].used)
            copies = self._save(slot, keep=source if count else None)
            if count and source != slot:
                copies.append((source, slot))
        if count:
            self._touch(source)
        self._put(slot, tokens[:count])
        return Admission(slot, count, tuple(copies))

    def grow(self, slot: int, tokens: Sequence[int]) -> None:
        """More tokens of a prompt are in the row now."""
        self._put(slot, np.append(self.rows[slot].tokens, np.asarray(tokens, np.int32)))

    def _save(self, slot: int, keep: int | None) -> list[tuple[int, int]]:
        """Copies what a slot holds to another row, if it is worth it: to one whose content is
        held elsewhere too, or else to the one least recently used."""
        content = self.rows[slot].tokens
        savers = [row for row in range(self._slots, len(self.rows)) if row != keep]
        if len(content) < SHORTEST or self._held_elsewhere(slot) or not savers:
            return []
        saver = min(savers, key=lambda row: (not self._held_elsewhere(row), self.rows[row].used))
        self.rows[saver] = Row(content, self.rows[slot].used)
        return [(slot, saver)]

    def _held_elsewhere(self, row: int) -> bool:
        """Whether another row begins with all that this one holds."""
        content = self.rows[row].tokens
        others = (other.tokens for i, other in enumerate(self.rows) if i != row)
        return any(_begins(other, content) for other in others)

    def _put(self, row: int, tokens: Tokens) -> None:
        self.rows[row].tokens = tokens
        self._touch(row)

    def _touch(self, row: int) -> None:
        self._clock += 1
        self.rows[row].used = self._clock


def _begins(tokens: Tokens, beginning: Tokens) -> bool:
    """Whether the tokens begin so. There are many rows, and most differ in the last of these."""
    length = len(beginning)
    if not length or len(tokens) < length:
        return not length
    return bool(tokens[length - 1] == beginning[-1]) and np.array_equal(tokens[:length], beginning)


def _common(one: Tokens, other: Tokens) -> int:
    """Length of the longest common beginning."""
    length = min(len(one), len(other))
    unlike = np.flatnonzero(one[:length] != other[:length])
    return int(unlike[0]) if len(unlike) else length

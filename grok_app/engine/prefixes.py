"""What the rows of the cache hold, so that what was prefilled once is not again.

A row keeps what it held when its conversation ends: the next turn goes on there, and a preamble
that many share is copied from whoever has it. Some rows beyond the slots save what would be lost
when a slot is taken for something else. Only what was made as part of a prompt counts: the tokens
of a reply are made one at a time, which rounds otherwise in the last bits, so they are made anew.
Then a reused beginning is the very same numbers as a cold one: so it is on a CPU, and where a
product rounds alike for any number of rows. Plain Python: no device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from grok_app.interventions import Intervention

Tokens = npt.NDArray[np.int32]

Made = tuple[Intervention, ...]

SHORTEST = 16  # tokens; to copy less than that is not worth it


@dataclass
class Row:
    """What a row of the cache holds from position 0 on, and when that was last of use.

    Attributes:
        content: its tokens, an int32 each; bytes, for these are sorted quickly.
        made: with what interventions. Other numbers stand in the cache for the same tokens then.
    """

    content: bytes = b""
    used: int = 0
    made: Made = ()

    @property
    def tokens(self) -> Tokens:
        """Its tokens as numbers."""
        return np.frombuffer(self.content, np.int32)


@dataclass(frozen=True)
class Admission:
    """Where a prompt is to go.

    Attributes:
        slot: its row.
        cached: so many of its first tokens need no prefill.
        copies: (from, to) rows to be copied before, in this order.
    """

    slot: int
    cached: int
    copies: tuple[tuple[int, int], ...]


class Prefixes:
    """The rows of one data shard: its slots, then those that only save."""

    def __init__(self, slots: int, saved: int):
        """All rows are empty at first."""
        self.rows = [Row() for _ in range(slots + saved)]
        self._slots = slots
        self._clock = 0

    def cached(self, prompt: Sequence[int], made: Made = ()) -> int:
        """How many of a prompt's first tokens some row holds, `made` with the same interventions,
        if they are enough to be reused."""
        return _enough(max(self._held_of(prompt, made)))

    def admit(self, prompt: Sequence[int], free: Sequence[int], made: Made = ()) -> Admission:
        """Chooses one of the `free` slots for a prompt, and what to reuse for it."""
        cached = self._held_of(prompt, made)
        source = max(range(len(cached)), key=lambda row: (cached[row], row in free))
        count = _enough(cached[source])
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
        self.rows[slot].made = made
        self._put(slot, _content(prompt[:count]))
        return Admission(slot, count, tuple(copies))

    def grow(self, slot: int, tokens: Sequence[int]) -> None:
        """More tokens of a prompt are in the row now."""
        self._put(slot, self.rows[slot].content + _content(tokens))

    def _held_of(self, prompt: Sequence[int], made: Made) -> list[int]:
        """How many of a prompt's first tokens each row holds, but for the last: that must be
        computed, for its logits are wanted."""
        tokens = np.asarray(prompt[:-1], np.int32)
        return [_common(row.tokens, tokens) if row.made == made else 0 for row in self.rows]

    def _save(self, slot: int, keep: int | None) -> list[tuple[int, int]]:
        """Copies what a slot holds to another row, if it is worth it: to one whose content is
        held elsewhere too, or else to the one least recently used."""
        leaving = self.rows[slot]
        savers = [row for row in range(self._slots, len(self.rows)) if row != keep]
        held = self._held_elsewhere()
        if len(leaving.tokens) < SHORTEST or slot in held or not savers:
            return []
        saver = min(savers, key=lambda row: (row not in held, self.rows[row].used))
        self.rows[saver] = Row(leaving.content, leaving.used, leaving.made)
        return [(slot, saver)]

    def _held_elsewhere(self) -> set[int]:
        """The rows of which another row, made alike, begins with all that they hold.

        Sorted, a row is followed at once by those that begin with it, if there are any.
        """
        rows = self.rows
        order = sorted(range(len(rows)), key=lambda row: (hash(rows[row].made), rows[row].content))
        held = set()
        for row, after in pairwise(order):
            content, other = rows[row].content, rows[after].content
            if rows[row].made == rows[after].made and other.startswith(content):
                held |= {row, after} if other == content else {row}
        return held

    def _put(self, row: int, content: bytes) -> None:
        self.rows[row].content = content
        self._touch(row)

    def _touch(self, row: int) -> None:
        self._clock += 1
        self.rows[row].used = self._clock


def _content(tokens: Sequence[int]) -> bytes:
    return np.asarray(tokens, np.int32).tobytes()


def _enough(cached: int) -> int:
    """So many cached tokens, or none where they are not worth it."""
    return cached if cached >= SHORTEST else 0


def _common(one: Tokens, other: Tokens) -> int:
    """Length of the longest common beginning."""
    length = min(len(one), len(other))
    unlike = np.flatnonzero(one[:length] != other[:length])
    return int(unlike[0]) if len(unlike) else length

"""A reply's tokens to text that can be shown at once.

Nothing shown is ever taken back: half a UTF-8 character waits for its other half, and what could
be the beginning of a stop string waits until it is known not to be.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Detokenizer:
    """The text of one reply, in pieces."""

    def __init__(self, stop: Sequence[str]):
        """`stop` are the texts at which the reply ends."""
        self.stopped = False
        self._stop = stop
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def push(self, data: bytes, final: bool = False) -> str:
        """The text that a token's bytes make safe to show; all that is left, if it is the last.

        Sets `stopped` when a stop string has appeared; what came before it is returned.
        """
        self._held += self._decoder.decode(data, final)
        ends = [at for text in self._stop if (at := self._held.find(text)) >= 0]
        if ends:
            self.stopped = True
            shown, self._held = self._held[: min(ends)], ""
            return shown
        keep = 0 if final else max((_overlap(self._held, text) for text in self._stop), default=0)
        split = len(self._held) - keep
        shown, self._held = self._held[:split], self._held[split:]
        return shown


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)

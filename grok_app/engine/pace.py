"""How long a step takes, so that as many are dispatched at once as fit a turn."""

from __future__ import annotations

import time

_WEIGHT = 0.1  # of the newest measurement in the mean


class Pace:
    """A running mean of the time a decode step takes the device."""

    def __init__(self) -> None:
        """Nothing is known at first."""
        self._since = 0.0
        self._step: float | None = None

    def begin(self) -> None:
        """The device was idle and has something to do from now on."""
        self._since = time.monotonic()

    def completed(self, steps: int) -> None:
        """The device has completed a dispatch of so many decode steps, or of none."""
        now = time.monotonic()
        if steps:
            taken = (now - self._since) / steps
            step = self._step or taken
            self._step = step + _WEIGHT * (taken - step)
        self._since = now

    def steps(self, seconds: float) -> int:
        """How many steps fit `seconds`: at least one, and one while nothing is known."""
        return max(1, int(seconds / self._step)) if self._step else 1

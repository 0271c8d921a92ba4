"""Who has done something how often of late."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

WINDOW = 60.0  # seconds


class Recent:
    """Counts by name for a minute. What it holds is bounded by what is let through."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """`clock` is in seconds."""
        self._clock = clock
        self._all: deque[tuple[float, str]] = deque()  # when and who, the oldest first
        self._of: Counter[str] = Counter()  # how many of them are whose

    def wait(self, name: str, more: int, most: int) -> float:
        """Seconds until `more` of that name are within `most` a minute; 0 where they are now."""
        now = self._clock()
        self._forget(now - WINDOW)
        if self._of[name] + more <= most:
            return 0.0
        times = [when for when, who in self._all if who == name]
        oldest = times[min(more, len(times)) - 1] if times else now
        return oldest + WINDOW - now

    def add(self, name: str, times: int = 1) -> None:
        """It has been done so often just now."""
        self._all.extend([(self._clock(), name)] * times)
        self._of[name] += times

    def _forget(self, before: float) -> None:
        while self._all and self._all[0][0] <= before:
            _, name = self._all.popleft()
            self._of[name] -= 1
            if not self._of[name]:
                del self._of[name]

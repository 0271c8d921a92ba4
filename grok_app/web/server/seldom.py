"""A fault that repeats itself is one line a minute in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_SECONDS = 60.0


class Seldom(logging.Filter):
    """Passes a message on once a minute, with how often it came meanwhile, and with its traceback
    the first time only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """`clock` is in seconds."""
        super().__init__()
        self._clock = clock
        self._last: dict[str, float] = {}
        self._missed: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        fault = str(record.msg).partition("\n")[0]
        now, last = self._clock(), self._last.get(fault)
        if last is not None and now - last < _SECONDS:
            self._missed[fault] = self._missed.get(fault, 0) + 1
            return False
        self._last[fault] = now
        if last is not None:
            line = record.getMessage().partition("\n")[0]
            record.msg, record.args = f"{line} ({self._missed.pop(fault, 0)} more since)", None
            record.exc_info = None
        return True

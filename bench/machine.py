"""What this machine can do at best, measured in the same run as what is compared with it."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def median_seconds(work: Callable[[], object], times: int) -> float:
    """The median time that `work` takes, after one call that does not count."""
    work()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_bandwidth(megabytes: int = 512, times: int = 9) -> float:
    """Bytes a second that all cores together read from memory, by summing int64 numbers.

    The numbers are far more than the caches hold; each core sums a part of its own.
    """
    numbers = np.ones(megabytes * 1_000_000 // 8, np.int64)
    parts = np.array_split(numbers, cores())
    with ThreadPoolExecutor(len(parts)) as pool:
        seconds = median_seconds(lambda: list(pool.map(np.sum, parts)), times)
    return numbers.nbytes / seconds

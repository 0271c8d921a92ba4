"""The batches of a run, one after the other, made ahead by other processes where asked.

A step on a CPU takes a thousand times as long as its batch, on a GPU no longer than one.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from grok_app.model.config import GrokConfig
from training.batches import Batches
from training.phases import Phase

AHEAD = 4  # batches, for each process

Batch = npt.NDArray[np.int32]


def load(
    data: Path,
    config: GrokConfig,
    phases: Sequence[Phase],
    current: Callable[[], int],
    first_step: int = 0,
    workers: int = 0,
) -> Generator[Batch]:
    """The batches from `first_step` on, each of the phase that is `current()` when it is ordered.

    Without `workers` that is when it is taken; else AHEAD batches earlier for each of these
    processes. Raises CorpusError if a pool is missing or too small.
    """
    batches = [phase.batches(data, config) for phase in phases]
    if workers:
        return _made_ahead((data, config, phases), current, first_step, workers)
    return (batches[current()](step) for step in count(first_step))


def _made_ahead(
    source: tuple[Path, GrokConfig, Sequence[Phase]],
    current: Callable[[], int],
    first_step: int,
    workers: int,
) -> Generator[Batch]:
    coming = deque[Future[Batch]]()
    with ProcessPoolExecutor(workers, get_context("spawn"), _open, source) as pool:
        for step in count(first_step):
            coming.append(pool.submit(_make, current(), step))
            if len(coming) > AHEAD * workers:
                yield coming.popleft().result()


_batches: list[Batches] = []
"""Those of each phase, in a process that makes them."""


def _open(data: Path, config: GrokConfig, phases: Sequence[Phase]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the run's, which ends its processes
    _batches.extend(phase.batches(data, config) for phase in phases)


def _make(phase: int, step: int) -> Batch:
    return _batches[phase](step)

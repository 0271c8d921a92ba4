"""The batches of a run, one after the other, made ahead by other processes where asked.

A CPU's step takes a hundred times as long as its batch. A GPU's takes less than its batch, so that
several are to be made at a time.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np
import numpy.typing as npt

from grok_app.model.config import GrokConfig
from training.run.batches import Batches
from training.run.phases import Phase

AHEAD = 4  # batches, for each process

Batch = npt.NDArray[np.int32]


class LoaderError(Exception):
    """A process that makes batches is no more."""


@contextmanager
def load(
    data: Path,
    config: GrokConfig,
    phases: Sequence[Phase],
    current: Callable[[], int],
    first_step: int = 0,
    workers: int = 0,
) -> Iterator[Iterator[Batch]]:
    """The batches from `first_step` on, each of the phase that is `current()` when it is ordered.

    Without `workers` that is when it is taken; else AHEAD batches earlier for each of these
    processes, which begin at once. So a phase begins as many steps later, and a run that is stopped
    and goes on near there may get other batches.

    Raises:
        CorpusError: a pool is missing, or a phase has none that is large enough.
        LoaderError: by the iterator, when one of the processes has ended.
    """
    batches = [phase.batches(data, config) for phase in phases]
    if not workers:
        yield (batches[current()](step) for step in count(first_step))
        return
    source = data, config, phases
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _open, source)
    steps = count(first_step)

    def order() -> Future[Batch]:
        return pool.submit(_make, current(), next(steps))

    try:
        with _uninterrupted():
            coming = deque(order() for _ in range(AHEAD * workers))
        yield _taken(coming, order)
    finally:
        pool.shutdown(cancel_futures=True)


def _taken(coming: deque[Future[Batch]], order: Callable[[], Future[Batch]]) -> Iterator[Batch]:
    """One batch after the other, for each taken another one ordered."""
    try:
        while True:
            coming.append(order())
            yield coming.popleft().result()
    except BrokenProcessPool:
        raise LoaderError(
            "a process that makes batches has ended, perhaps for want of memory: go on with fewer "
            "--workers"
        ) from None


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """The processes begun within never get Ctrl+C: it is the run's, which saves and ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_batches: list[Batches] = []
"""Those of each phase, in a process that makes them."""


def _open(data: Path, config: GrokConfig, phases: Sequence[Phase]) -> None:
    Thread(target=_end_with_the_run, daemon=True).start()
    _batches.extend(phase.batches(data, config) for phase in phases)


def _end_with_the_run() -> None:
    """Else a run that is killed would leave its processes behind, waiting for orders."""
    run = parent_process()
    if run:
        run.join()
        os._exit(1)


def _make(phase: int, step: int) -> Batch:
    return _batches[phase](step)

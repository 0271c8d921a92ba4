"""Batches made ahead by other processes are the batches."""

from __future__ import annotations

from itertools import islice
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

from tests.training.made import TINY
from training.run.loader import AHEAD, LoaderError, load
from training.run.phases import Phase
from training.texts.corpus import CorpusError

PHASES = (
    Phase(0.5, 1 / 4, 256, {"plain": 0.5, "lesson": 0.5}, 0.5),
    Phase(1.0, 1 / 2, 512, {"wit": 0.5, "drill": 0.5}, 0.0),
)


@pytest.mark.parametrize("phase", [0, 1])
def test_batches_made_ahead_are_those_made_in_time(packed: Path, phase: int) -> None:
    source = packed, TINY, PHASES, lambda: phase, 7
    with load(*source) as now, load(*source, workers=2) as ahead:
        for expected, batch in islice(zip(now, ahead, strict=False), 5):
            assert expected[:, 1:].shape == PHASES[phase].shape(TINY)
            np.testing.assert_array_equal(batch, expected)


def test_a_phase_begins_with_the_batch_that_is_ordered_in_it(packed: Path) -> None:
    phase = 0
    with load(packed, TINY, PHASES, lambda: phase, workers=1) as ahead:
        first = next(ahead)
        phase = 1
        rest = list(islice(ahead, AHEAD + 1))
    shapes = [batch[:, 1:].shape for batch in (first, *rest)]
    assert shapes == [PHASES[0].shape(TINY)] * (AHEAD + 1) + [PHASES[1].shape(TINY)]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_pool_is_told_at_once(packed: Path, workers: int) -> None:
    phases = [Phase(1.0, 1 / 4, 256, {"poems": 1.0}, 0.0)]
    with (
        pytest.raises(CorpusError, match="no pool 'poems'"),
        load(packed, TINY, phases, lambda: 0, workers=workers),
    ):
        pass


def test_a_process_that_has_ended_is_told_and_leaves_no_other_behind(packed: Path) -> None:
    before = set(active_children())
    with load(packed, TINY, PHASES, lambda: 0, workers=2) as ahead:
        next(ahead)
        (one, _) = set(active_children()) - before
        one.kill()
        with pytest.raises(LoaderError, match="fewer --workers"):
            list(ahead)
    assert set(active_children()) <= before


def test_processes_end_though_no_batch_was_taken(packed: Path) -> None:
    before = set(active_children())
    with load(packed, TINY, PHASES, lambda: 0, workers=1):
        assert set(active_children()) - before
    assert set(active_children()) <= before

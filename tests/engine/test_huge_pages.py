"""Large pages are asked for, and what an array holds stays, wherever it lies."""

from __future__ import annotations

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import grok_app
from grok_app import SamplingParams
from grok_app.engine.huge_pages import use_huge_pages

OFFERED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def advised(address: int) -> bool:
    """Whether the mapping around an address has the flag "hg", for large pages."""
    here = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if bounds := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            here = int(bounds[1], 16) <= address < int(bounds[2], 16)
        elif here and line.startswith("VmFlags:"):
            return "hg" in line.split()
    return False


@pytest.mark.parametrize("megabytes", [0.001, 1, 9])
def test_the_contents_stay(megabytes: float) -> None:
    count = int(megabytes * 2**18)
    array = jnp.arange(count)
    use_huge_pages(array)
    np.testing.assert_array_equal(array, np.arange(count))


@pytest.mark.skipif(not OFFERED.exists(), reason="this system has no large pages")
def test_the_cache_has_them_and_stays_where_it_is(nano: grok_app.Engine) -> None:
    def places() -> list[int]:
        cache = nano._runner.slots.cache
        return [array.unsafe_buffer_pointer() for array in (cache.keys, cache.values)]

    before = places()
    assert all(advised(place + (4 << 20)) for place in before)
    list(nano.generate("Once upon a time", SamplingParams(max_tokens=20)))
    assert places() == before

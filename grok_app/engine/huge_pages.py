"""Large pages for arrays on processors.

Attention reads the cache in runs of some hundred kilobytes, a few for each conversation: with pages
of 4 KB a good part of its time goes into finding the next page (`bench/RESULTS.md`).
"""

from __future__ import annotations

import ctypes
import sys

from jax import Array

_SIZE = 2 << 20  # bytes of a large page where others have 4 KB; elsewhere none may come of it
_ADVICE = (14, 25)  # Linux's MADV_HUGEPAGE: from now on; MADV_COLLAPSE: what is there, at once


def use_huge_pages(array: Array) -> None:
    """Asks Linux to put the parts of `array` that lie on this machine's processors in large pages.

    Elsewhere, or where Linux does not, nothing happens: it is a wish.
    """
    if sys.platform != "linux":
        return
    system = ctypes.CDLL(None)
    for shard in array.addressable_shards:
        if shard.device.platform != "cpu":
            continue
        start = shard.data.unsafe_buffer_pointer()
        first, last = -(-start // _SIZE), (start + shard.data.nbytes) // _SIZE
        for advice in _ADVICE if last > first else ():
            system.madvise(
                ctypes.c_void_p(first * _SIZE), ctypes.c_size_t((last - first) * _SIZE), advice
            )

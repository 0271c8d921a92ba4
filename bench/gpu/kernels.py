"""What the kernels of our own read and write.

A compiled program tells what a kernel is given: whole stacks of matrices, the whole cache. How much
of it the kernel touches depends on the layer, the chosen experts and the lengths that it finds
there. What several of its programs read alike counts once: it comes from the cache on the chip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.gpu.hlo import Shape
from grok_app.checkpoint.speed import Step
from grok_app.kernels.gpu import KEYS
from grok_app.model.config import GrokConfig

_OF_CACHE = ("remember", "attend_piece", "attend_chunk")


def kernel_bytes(config: GrokConfig, step: Step, name: str, arrays: Sequence[Shape]) -> int:
    """Bytes that the kernel of a name reads and writes of the arrays that it takes and makes."""
    return int(sum(_share(config, step, name, array) * array.nbytes for array in arrays))


def _share(config: GrokConfig, step: Step, name: str, array: Shape) -> float:
    """Which part of an array a kernel touches."""
    if name in _OF_CACHE and array.kind != "f32":
        return _share_of_cache(step, name, array)
    share, sizes = 1.0, array.sizes
    if len(sizes) > 1 and sizes[0] == config.num_layers:  # a stack
        share, sizes = share / config.num_layers, sizes[1:]
    if name.startswith("experts") and len(sizes) == 3:  # a matrix for each expert
        share *= step.experts(config) / config.num_experts
    return share


def _share_of_cache(step: Step, name: str, array: Shape) -> float:
    """Of keys and values [L, slots, G, S, H], or what is visible of them [slots, S]: one layer, the
    slots in use, and the positions that are read, or the one that is written."""
    axes = {5: (0, 1, 3), 2: (0, 1)}.get(len(array.sizes))
    if axes is None:  # queries
        return 1.0
    all_ = math.prod(array.sizes[axis] for axis in axes)
    positions = 1 if name == "remember" else math.ceil((step.position + 1) / KEYS) * KEYS
    return step.people * positions / all_

"""Places the tensors of a checkpoint on the devices of a mesh."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from grok_app.checkpoint.folder import Checkpoint
from grok_app.checkpoint.stacks import Stack, make_stack
from grok_app.checkpoint.stored import StoredArray
from grok_app.model.parameters import Parameter, parameters
from grok_app.model.sharding import MODEL, scales_division, weight_division
from grok_app.model.weights import QuantizedWeight

_THREADS = 8  # files that are read at once


@dataclass(frozen=True)
class _Stacks:
    """A parameter in the making; `scales` of a quantized one."""

    weight: Stack
    scales: Stack | None = None


@dataclass(frozen=True)
class _Job:
    """A matrix to be read, and its place in a stack."""

    matrix: StoredArray
    stack: Stack
    position: tuple[int, ...]


def load_parameters(
    checkpoint: Checkpoint, mesh: Mesh, dtype: Any = np.float32
) -> dict[str, dict[str, Any]]:
    """The parameter tree {module: {name: array or QuantizedWeight}}, divided over `mesh`, for a
    model that computes in `dtype`.

    Layers are stacked. Several files are read at a time; a matrix goes straight from its file to
    its place in the stack of each device of this process, and no other is read. A bar shows when
    it takes long.

    Raises:
        CheckpointError: a file cannot be read, or has changed since it was opened.
    """
    table = parameters(checkpoint.config)
    stacks = {p: _empty(p, checkpoint.config.num_layers, mesh, dtype) for p in table}
    with tqdm(total=checkpoint.nbytes, unit="B", unit_scale=True, desc="loading", delay=2) as bar:
        _run(_jobs(checkpoint, stacks), bar.update)
    tree: dict[str, dict[str, Any]] = {}
    for p, made in stacks.items():
        weight = made.weight.array()
        whole = QuantizedWeight(weight, made.scales.array()) if made.scales else weight
        tree.setdefault(p.module, {})[p.name] = whole
    return tree


def _empty(p: Parameter, layers: int, mesh: Mesh, dtype: Any) -> _Stacks:
    """The stacks of a parameter, nothing read yet."""
    stack, devices = ((layers,) if p.layered else ()), mesh.shape[MODEL]
    leading = len(stack) + max(0, len(p.shape) - 2)
    shape = (*stack, *p.shape)
    weight = make_stack(shape, p.kind(dtype), weight_division(p, devices), leading, mesh)
    if p.groups is None:
        return _Stacks(weight)
    kind, shape = np.dtype(ml_dtypes.bfloat16), (*stack, *p.scales_shape)
    return _Stacks(weight, make_stack(shape, kind, scales_division(p, devices), leading, mesh))


def _jobs(checkpoint: Checkpoint, stacks: dict[Parameter, _Stacks]) -> Iterator[_Job]:
    """What there is to read, in the order of the files."""
    for (p, layer), tensor in checkpoint.tensors.items():
        into = stacks[p]
        leading = (layer,) if p.layered else ()
        for stack, array in ((into.weight, tensor.weight), (into.scales, tensor.scales)):
            if stack is None or array is None:
                continue
            for index in product(*map(range, array.shape[:-2])):  # of an expert
                yield _Job(reduce(StoredArray.part, index, array), stack, (*leading, *index))


def _run(jobs: Iterable[_Job], progress: Callable[[float], Any]) -> None:
    """Runs the jobs in threads, telling `progress` the bytes of each; stops at the first error."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="load") as pool:
        pending = {pool.submit(job.stack.fill, job.position, job.matrix): job for job in jobs}
        try:
            for done in as_completed(pending):
                done.result()
                progress(pending[done].matrix.nbytes)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise

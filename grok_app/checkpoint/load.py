"""Places the tensors of a checkpoint on the devices of a mesh."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from tqdm import tqdm

from grok_app.checkpoint.folder import Checkpoint
from grok_app.checkpoint.tensor_reader import StoredWeight
from grok_app.model.parameters import Parameter, parameters
from grok_app.model.sharding import MODEL, copies, partition
from grok_app.model.weights import QuantizedWeight

_ALIGNMENT = 64  # at such an address a CPU device uses numpy's memory instead of copying it


def load_parameters(checkpoint: Checkpoint, mesh: Mesh) -> dict[str, dict[str, Any]]:
    """The parameter tree {module: {name: array or QuantizedWeight}}, divided over `mesh`.

    Layers are stacked. A device's part of a stack is filled file by file from the mapped
    checkpoint; on a CPU those bytes are then the array. A bar shows when it takes long.
    """
    config, devices = checkpoint.config, mesh.shape[MODEL]
    tree: dict[str, dict[str, Any]] = {}
    with tqdm(total=checkpoint.nbytes, unit="B", unit_scale=True, desc="loading", delay=2) as bar:
        for p in parameters(config):
            layers = range(config.num_layers if p.layered else 1)
            tensors = [checkpoint.tensors[p, layer] for layer in layers]
            tree.setdefault(p.module, {})[p.name] = _place(p, tensors, mesh, devices)
            bar.update(p.nbytes * len(layers))
    return tree


def _place(
    p: Parameter, tensors: list[np.ndarray | StoredWeight], mesh: Mesh, devices: int
) -> jax.Array | QuantizedWeight:
    """One parameter's stack on its devices."""
    if p.groups is None:
        return _stack([t for t in tensors if isinstance(t, np.ndarray)], p, mesh)
    stored = [t for t in tensors if isinstance(t, StoredWeight)]
    columns, groups = copies(p, devices)
    heads = p.copies_with or 1
    weights = [_repeat(t.weight, -1, heads, columns) for t in stored]
    scales = [_repeat(_repeat(t.scales, -1, heads, columns), -2, p.groups, groups) for t in stored]
    return QuantizedWeight(_stack(weights, p, mesh), _stack(scales, p, mesh))


def _repeat(array: np.ndarray, axis: int, parts: int, times: int) -> np.ndarray:
    """`array` with each of the `parts` of an axis repeated, for devices that share a part."""
    if times == 1:
        return array
    return np.concatenate(
        [part for part in np.split(array, parts, axis) for _ in range(times)], axis
    )


def _stack(arrays: list[np.ndarray], p: Parameter, mesh: Mesh) -> jax.Array:
    """The arrays of all layers as one, divided over the mesh."""
    shape = (len(arrays), *arrays[0].shape) if p.layered else arrays[0].shape
    sharding = NamedSharding(mesh, partition(len(shape), p.sharded))
    parts: dict[str, np.ndarray] = {}

    def part(index: tuple[slice, ...]) -> np.ndarray:
        if str(index) not in parts:  # devices along "data" share one
            parts[str(index)] = _fill(arrays, index, p.layered)
        return parts[str(index)]

    return jax.make_array_from_callback(shape, sharding, part)  # type: ignore[arg-type]


def _fill(arrays: list[np.ndarray], index: tuple[slice, ...], layered: bool) -> np.ndarray:
    """A device's part of a stack, in fresh aligned memory."""
    if not layered:
        source = arrays[0][index]
        out = _aligned(source.shape, source.dtype)
        out[...] = source
        return out
    within = index[1:]
    out = _aligned((len(arrays), *arrays[0][within].shape), arrays[0].dtype)
    for layer, array in enumerate(arrays):
        out[layer] = array[within]
    return out


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)

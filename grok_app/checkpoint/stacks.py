"""Stacked arrays in the making: filled matrix by matrix, in place where they are to stay.

K rows and N columns of one matrix, or K numbers of a vector, in a file.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding

from grok_app.checkpoint.stored import StoredArray
from grok_app.model.sharding import MODEL, Division, partition

_ALIGNMENT = 64  # at such an address a CPU device uses numpy's memory instead of copying it
_PIECE = 16 * 1024 * 1024  # bytes of a file that are read at once where columns are divided


class Stack(Protocol):
    """One array of the parameter tree, of which this process fills what its devices hold."""

    def fill(self, position: tuple[int, ...], matrix: StoredArray) -> None:
        """Reads one matrix to its place on the leading axes, rounded where the array is of a
        shorter type. Several threads may do so at once.

        Raises:
            CheckpointError: the file is not what it was, or cannot be read.
        """
        ...

    def array(self) -> Array:
        """The filled array."""
        ...


def make_stack(
    shape: tuple[int, ...], dtype: np.dtype, division: Division, leading: int, mesh: Mesh
) -> Stack:
    """An empty stack of an array whose `shape` before division has `leading` axes of matrices."""
    where = _Place(shape, dtype, division, leading, mesh)
    on_host = mesh.devices.flat[0].platform == "cpu"
    return HostStack(where) if on_host else DeviceStack(where)


class _Place:
    """Where the parts of a stack are to lie."""

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype,
        division: Division,
        leading: int,
        mesh: Mesh,
    ):
        self.shape, self.dtype, self.division, self.leading = shape, dtype, division, leading
        self.part_shape = division.part_shape(shape)
        model = mesh.axis_names.index(MODEL)
        self.devices = {  # this process's devices: which part each of them holds
            device: at[model] // division.copies if division.axis is not None else 0
            for at, device in np.ndenumerate(mesh.devices)
            if device.process_index == jax.process_index()
        }
        self.sharding = NamedSharding(mesh, partition(len(shape), division.axis))

    def parts(self) -> dict[int, slice]:
        """The distinct parts that this process holds, as slices of the divided axis."""
        if self.division.axis is None:
            return {0: slice(None)}
        copies = self.division.copies
        parts = sorted(set(self.devices.values()))
        return {part: self.division.part(self.shape, part * copies) for part in parts}

    def read(self, matrix: StoredArray, outs: dict[int, np.ndarray]) -> None:
        """Reads the parts of a matrix, each into its array of `outs`."""
        parts = self.parts()
        with matrix.open() as file:
            if self.division.axis is None:
                matrix.read_into(outs[0], file)
            elif self.division.axis == -1 and self.division.devices > 1:
                _read_columns(matrix, file, [(parts[part], outs[part]) for part in parts])
            else:
                for part, rows in parts.items():
                    matrix.rows(rows.start, rows.stop).read_into(outs[part], file)

    def assemble(self, arrays: list[Array]) -> Array:
        """The whole array, of what lies on this process's devices."""
        shape = self.division.placed_shape(self.shape)
        return jax.make_array_from_single_device_arrays(shape, self.sharding, arrays)


class HostStack:
    """A stack of a CPU device: memory that is filled, and is then the array itself."""

    def __init__(self, place: _Place):
        self._place = place
        self._parts = {part: _aligned(place.part_shape, place.dtype) for part in place.parts()}

    def fill(self, position: tuple[int, ...], matrix: StoredArray) -> None:
        """See `Stack`."""
        places = {part: out[position] for part, out in self._parts.items()}
        if matrix.dtype == self._place.dtype:
            self._place.read(matrix, places)
            return
        outs = {part: np.empty(out.shape, matrix.dtype) for part, out in places.items()}
        self._place.read(matrix, outs)
        for part, out in outs.items():
            places[part][...] = out

    def array(self) -> Array:
        """See `Stack`. Devices that hold the same part share its memory."""
        devices = self._place.devices.items()
        return self._place.assemble(
            [jax.device_put(self._parts[part], device) for device, part in devices]
        )


class DeviceStack:
    """A stack in the memory of accelerators; the host holds only the matrices on their way."""

    def __init__(self, place: _Place):
        self._place, self._lock = place, threading.Lock()
        self._arrays = {
            device: jnp.zeros(place.part_shape, place.dtype, device=device)
            for device in place.devices
        }

    def fill(self, position: tuple[int, ...], matrix: StoredArray) -> None:
        """See `Stack`. Returns when the matrix has left the host's memory."""
        place = self._place
        shape = place.part_shape[place.leading :]
        outs = {part: _aligned(shape, matrix.dtype) for part in place.parts()}
        place.read(matrix, outs)
        sent = {
            device: jax.device_put(outs[part], device) for device, part in place.devices.items()
        }
        with self._lock:
            for device, part in sent.items():
                self._arrays[device] = _write(self._arrays[device], part, position)
        jax.block_until_ready(list(sent.values()))

    def array(self) -> Array:
        """See `Stack`."""
        return self._place.assemble(list(self._arrays.values()))


@partial(jax.jit, donate_argnums=0)
def _write(stack: Array, matrix: Array, position: tuple[int, ...]) -> Array:
    start = (*position, *(0,) * matrix.ndim)
    matrix = matrix[(None,) * len(position)].astype(stack.dtype)
    return lax.dynamic_update_slice(stack, matrix, start)


def _read_columns(
    matrix: StoredArray, file: BinaryIO, parts: list[tuple[slice, np.ndarray]]
) -> None:
    """Reads runs of columns of a matrix [K, N], each into its array [K, width], row by row."""
    first = min(columns.start for columns, _ in parts)
    last = max(columns.stop for columns, _ in parts)
    for rows in _runs(matrix, last - first):
        piece = np.empty((rows.stop - rows.start, last - first), matrix.dtype)
        if piece.shape[1] == matrix.shape[1]:
            matrix.rows(rows.start, rows.stop).read_into(piece, file)
        else:
            for row in range(rows.start, rows.stop):
                run = matrix.part(row).rows(first, last)
                run.read_into(piece[row - rows.start], file)
        for columns, out in parts:
            out[rows] = piece[:, columns.start - first : columns.stop - first]


def _runs(matrix: StoredArray, columns: int) -> Iterator[slice]:
    """The rows of a matrix, as many at a time as make a piece."""
    count = max(1, _PIECE // (columns * matrix.dtype.itemsize))
    for start in range(0, matrix.shape[0], count):
        yield slice(start, min(start + count, matrix.shape[0]))


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)

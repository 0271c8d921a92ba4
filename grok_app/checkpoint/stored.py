"""What lies in one file of a checkpoint: where its arrays begin, and the arrays themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from grok_app.errors import CheckpointError


@dataclass(frozen=True)
class StoredWeight:
    """A released `QuantizedWeight8bit`.

    Attributes:
        weight: int8 [..., K, N].
        scales: bfloat16 [..., G, N].
    """

    weight: np.ndarray
    scales: np.ndarray


@dataclass(frozen=True)
class StoredArray:
    """Where one array lies on the disk; nothing of it is in memory.

    Attributes:
        path: the file.
        start: the byte at which the array begins; its elements follow in C order.
    """

    path: Path
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def view(self) -> np.ndarray:
        """The array as a read-only view of the memory-mapped file."""
        return np.memmap(self.path, self.dtype, "r", self.start, self.shape)

    def part(self, index: int) -> StoredArray:
        """The array at `index` of the first axis."""
        part = StoredArray(self.path, self.start, self.shape[1:], self.dtype)
        return StoredArray(self.path, self.start + index * part.nbytes, part.shape, self.dtype)

    def rows(self, start: int, stop: int) -> StoredArray:
        """The rows from `start` up to `stop`, which lie in one piece."""
        row = self.part(start)
        return StoredArray(self.path, row.start, (stop - start, *row.shape), self.dtype)

    def open(self) -> BinaryIO:
        """The file, unbuffered.

        Raises:
            CheckpointError: it cannot be opened: it was there when its header was read.
        """
        try:
            return self.path.open("rb", buffering=0)
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot be read: {error.strerror}") from error

    def read_into(self, out: np.ndarray, file: BinaryIO) -> None:
        """Fills `out`, contiguous and of as many bytes, from the open unbuffered `file`.

        Raises:
            CheckpointError: the file has become shorter since its header was read, or cannot be
                read.
        """
        left = out.reshape(-1).view(np.uint8).data
        try:
            file.seek(self.start)
            while left:
                count = file.readinto(left)  # type: ignore[attr-defined]
                if not count:
                    raise CheckpointError(f"{self.path} ends early: was it changed meanwhile?")
                left = left[count:]
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot be read: {error}") from error


@dataclass(frozen=True)
class StoredTensor:
    """The content of one file, by its header.

    Attributes:
        weight: the array; of a quantized matrix, its int8 part.
        scales: of a quantized matrix, its bfloat16 scales.
    """

    weight: StoredArray
    scales: StoredArray | None = None

    def view(self) -> np.ndarray | StoredWeight:
        """The content as views of the memory-mapped file."""
        if self.scales is None:
            return self.weight.view()
        return StoredWeight(self.weight.view(), self.scales.view())

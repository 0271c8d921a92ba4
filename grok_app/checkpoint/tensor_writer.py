"""Writes one file of a checkpoint, byte for byte as Python's pickle wrote the released ones."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import ml_dtypes
import numpy as np

from grok_app.checkpoint.stored import StoredWeight

_FRAME_TARGET = 64 * 1024  # larger payloads stand outside the pickle's frames
_DTYPES = {"float32": (b"f4", b"<"), "int8": (b"i1", b"|")}


def write_tensor(path: Path, tensor: np.ndarray | StoredWeight) -> None:
    """Writes a float32 array or a quantized weight in the released form.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("wb") as file:
        dump_tensor(file, tensor)


def dump_tensor(file: BinaryIO, tensor: np.ndarray | StoredWeight) -> None:
    """Writes a tensor in the released form to an open file; large arrays are not copied."""
    _Pickle(file).dump(tensor)


class _Pickle:
    """The opcodes of one file, with pickle's memo and frames."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.frame = bytearray()
        self.memo: dict[object, int] = {}
        self.memoized = 0

    def dump(self, tensor: np.ndarray | StoredWeight) -> None:
        self.file.write(b"\x80\x04")
        if isinstance(tensor, StoredWeight):
            self.weight(tensor)
        else:
            self.array(tensor)
        self.frame += b"."
        self.flush()

    def weight(self, tensor: StoredWeight) -> None:
        self.name(b"__main__", b"QuantizedWeight8bit")
        self.remember(b")\x81")
        self.remember(b"}")
        self.frame += b"("
        for part in ("weight", "scales"):
            self.text(part.encode())
            self.array(getattr(tensor, part))
        self.frame += b"ub"

    def array(self, array: np.ndarray) -> None:
        self.name(b"numpy.core.multiarray", b"_reconstruct")
        self.name(b"numpy", b"ndarray")
        self.remember(b"K\x00\x85")
        if not self.recall("type code"):
            self.remember(b"C\x01b", "type code")
        self.remember(b"\x87")
        self.remember(b"R")
        self.frame += b"(K\x01"
        self.shape(array.shape)
        self.dtype(array.dtype)
        self.frame += b"\x89"
        self.payload(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        self.remember(b"t")
        self.frame += b"b"

    def shape(self, shape: tuple[int, ...]) -> None:
        assert len(shape) <= 3
        self.remember(b"".join(map(_integer, shape)) + bytes([0x84 + len(shape)]))

    def dtype(self, dtype: np.dtype) -> None:
        self.name(b"numpy", b"dtype")
        if dtype == ml_dtypes.bfloat16:
            order, sizes = b"<", b"K\x02K\x02K\x40"
            self.name(b"ml_dtypes", b"bfloat16")
        else:
            code, order = _DTYPES[dtype.name]
            sizes = b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"
            self.text(code)
        self.remember(b"\x89\x88\x87")
        self.remember(b"R")
        self.frame += b"(K\x03"
        self.text(order)
        self.frame += b"NNN" + sizes
        self.remember(b"t")
        self.frame += b"b"

    def payload(self, data: memoryview) -> None:
        if len(data) < 256:
            self.frame += bytes((*b"C", len(data), *data))
        elif len(data) < 2**32:
            self.large(b"B" + struct.pack("<I", len(data)), data)
        else:
            self.large(b"\x8e" + struct.pack("<Q", len(data)), data)
        self.remember(b"")

    def large(self, head: bytes, data: memoryview) -> None:
        if len(data) < _FRAME_TARGET:
            self.frame += head
            self.frame += data
            return
        self.flush()
        self.file.write(head)
        self.file.write(data)

    def flush(self) -> None:
        if len(self.frame) >= 4:  # pickle does not frame less
            self.file.write(b"\x95" + struct.pack("<Q", len(self.frame)))
        self.file.write(self.frame)
        self.frame.clear()

    def name(self, module: bytes, name: bytes) -> None:
        """A global: its two strings and itself are remembered, and recalled the next time."""
        if not self.recall((module, name)):
            self.text(module)
            self.text(name)
            self.remember(b"\x93", (module, name))

    def text(self, text: bytes) -> None:
        if not self.recall(text):
            self.remember(b"\x8c" + bytes([len(text)]) + text, text)

    def remember(self, opcodes: bytes, key: object = None) -> None:
        self.frame += opcodes + b"\x94"
        if key is not None:
            self.memo[key] = self.memoized
        self.memoized += 1

    def recall(self, key: object) -> bool:
        if key in self.memo:
            self.frame += b"h" + bytes([self.memo[key]])
        return key in self.memo


def _integer(number: int) -> bytes:
    if number < 256:
        return b"K" + struct.pack("<B", number)
    if number < 65536:
        return b"M" + struct.pack("<H", number)
    return b"J" + struct.pack("<i", number)

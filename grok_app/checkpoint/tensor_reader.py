"""Reads one file of a checkpoint: a pickle from the internet, of which nothing is ever run.

A released file is a pickle of a numpy array, or of an object with two. This is no unpickler: it
walks the few opcodes such a file is made of, builds inert descriptions, and accepts only the
two patterns; every length is checked against the file before an array is made. Only the header's
bytes are touched: a payload stays on the disk until someone maps or reads it.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from grok_app.checkpoint.stored import StoredArray, StoredTensor, StoredWeight
from grok_app.errors import CheckpointError

_MOST_OPCODES = 256  # a released file has fewer than 120
_LONGEST_NAME = 64

_DTYPES = {
    ("f4", "<"): np.dtype("<f4"),
    ("i1", "|"): np.dtype("i1"),
    ("numpy:bfloat16", "<"): np.dtype(ml_dtypes.bfloat16),
}
_SIMPLE_DTYPE = (None, None, None, -1, -1, 0)  # no subarray, no fields, sizes of the type itself
_BFLOAT16_DTYPE = (None, None, None, 2, 2, 64)


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class _Bytes:
    start: int
    length: int


@dataclass
class _Dtype:
    code: str
    dtype: np.dtype | None = None


@dataclass
class _Array:
    shape: tuple[int, ...] | None = None
    dtype: np.dtype | None = None
    data: _Bytes | None = None


@dataclass
class _Weight:
    parts: dict[str, _Array] = field(default_factory=dict)


_MARK = object()
_RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_GLOBALS = (
    *_RECONSTRUCT,
    "numpy.ndarray",
    "numpy.dtype",
    "ml_dtypes.bfloat16",
    "__main__.QuantizedWeight8bit",
)


def read_tensor(path: Path) -> np.ndarray | StoredWeight:
    """The content of one file, as views of the mapped file: nothing is copied.

    Raises:
        CheckpointError: as `read_header`.
    """
    return read_header(path).view()


def read_header(path: Path) -> StoredTensor:
    """Where in a file its arrays lie, once all of it but the numbers themselves was checked.

    Raises:
        CheckpointError: the file cannot be read, or is not of the released form.
    """
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return _Walk(path, content).result()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # of mmap
        raise CheckpointError(f"{path}: is empty; copy it again") from error
    except _Unexpected as error:
        raise CheckpointError(
            f"{path}: not a tensor of the released form ({error}); "
            "the file is damaged, half copied, or not from a Grok-1 checkpoint"
        ) from None


class _Unexpected(Exception):
    pass


class _Walk:
    """One pass over the opcodes of a file."""

    def __init__(self, path: Path, content: mmap.mmap):
        self.path, self.content = path, content
        self.position = 0
        self.stack: list[Any] = []
        self.memo: list[Any] = []

    def result(self) -> StoredTensor:
        if self.take(2) != b"\x80\x04":
            raise _Unexpected("it does not begin as a pickle of protocol 4")
        for _ in range(_MOST_OPCODES):
            opcode = self.take(1)
            if opcode == b".":
                return self.finish()
            step = _OPCODES.get(opcode)
            if step is None:
                raise _Unexpected(f"opcode {opcode!r} at byte {self.position - 1}")
            step(self)
        raise _Unexpected("it has too many opcodes")

    def finish(self) -> StoredTensor:
        if self.position != len(self.content):
            raise _Unexpected(f"{len(self.content) - self.position} bytes follow its end")
        value = self.pop()
        if self.stack:
            raise _Unexpected("values are left over at its end")
        if isinstance(value, _Weight) and value.parts:
            weight, scales = (self.place(value.parts[name]) for name in ("weight", "scales"))
            if weight.dtype != np.int8 or scales.dtype != ml_dtypes.bfloat16:
                raise _Unexpected(f"a weight of {weight.dtype} with scales of {scales.dtype}")
            return StoredTensor(weight, scales)
        if isinstance(value, _Array):
            return StoredTensor(self.place(value))
        raise _Unexpected("it holds no tensor")

    def place(self, array: _Array) -> StoredArray:
        if array.shape is None or array.dtype is None or array.data is None:
            raise _Unexpected("an array was never filled")
        stored = StoredArray(self.path, array.data.start, array.shape, array.dtype)
        if array.data.length != stored.nbytes:
            raise _Unexpected(
                f"shape {array.shape} of {array.dtype} takes {stored.nbytes} bytes, "
                f"the file holds {array.data.length}"
            )
        return stored

    # The stack.

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise _Unexpected(f"nothing to take at byte {self.position}")
        return self.stack.pop()

    def pop_tuple(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.stack.append(tuple(reversed(values)))

    def pop_to_mark(self) -> list[Any]:
        values = []
        while self.stack and self.stack[-1] is not _MARK:
            values.append(self.stack.pop())
        if not self.stack:
            raise _Unexpected("a mark is missing")
        self.stack.pop()
        return values[::-1]

    # The bytes.

    def take(self, count: int) -> bytes:
        taken = self.content[self.position : self.position + count]
        if len(taken) != count:
            raise _Unexpected(f"it ends at byte {len(self.content)}, in the middle")
        self.position += count
        return taken

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def name(self) -> str:
        length = self.number(1)
        if length > _LONGEST_NAME:
            raise _Unexpected("a name is too long")
        try:
            return self.take(length).decode("ascii")
        except UnicodeDecodeError:
            raise _Unexpected("a name is not ASCII") from None

    def payload(self, size: int) -> _Bytes:
        length = self.number(size)
        start = self.position
        if length > len(self.content) - start:
            raise _Unexpected(
                f"it announces {length} bytes where {len(self.content) - start} are left"
            )
        self.position += length
        return _Bytes(start, length)

    # What the opcodes of the two patterns mean.

    def skip_frame(self) -> None:
        self.take(8)  # how the writer buffered: without meaning

    def recall(self) -> None:
        index = self.number(1)
        if index >= len(self.memo):
            raise _Unexpected(f"memo {index} is empty")
        self.stack.append(self.memo[index])

    def memoize(self) -> None:
        value = self.pop()
        self.stack.append(value)
        self.memo.append(value)

    def find_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise _Unexpected("a global without a name")
        if f"{module}.{name}" not in _GLOBALS:
            raise _Unexpected(f"it asks for {module}.{name}, which no checkpoint needs")
        self.stack.append(_Global(f"{module}.{name}"))

    def new_object(self) -> None:
        arguments, what = self.pop(), self.pop()
        if what != _Global("__main__.QuantizedWeight8bit") or arguments != ():
            raise _Unexpected(f"it makes {_named(what)}")
        self.stack.append(_Weight())

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if isinstance(function, _Global) and function.name in _RECONSTRUCT:
            if not (
                isinstance(arguments, tuple)
                and len(arguments) == 3
                and arguments[:2] == (_Global("numpy.ndarray"), (0,))
                and isinstance(arguments[2], _Bytes)
                and arguments[2].length == 1
            ):
                raise _Unexpected("an array is made in an unusual way")
            self.stack.append(_Array())
        elif function == _Global("numpy.dtype"):
            code, *flags = arguments if isinstance(arguments, tuple) and arguments else (None,)
            if code == _Global("ml_dtypes.bfloat16"):
                code = "numpy:bfloat16"
            if not isinstance(code, str) or flags != [False, True]:
                raise _Unexpected("a dtype is made in an unusual way")
            self.stack.append(_Dtype(code))
        else:
            raise _Unexpected(f"it calls {_named(function)}")

    def build(self) -> None:
        state, target = self.pop(), self.pop()
        if isinstance(target, _Dtype) and target.dtype is None:
            target.dtype = _dtype_of(target.code, state)
        elif isinstance(target, _Array) and target.shape is None:
            target.shape, target.dtype, target.data = _array_state(state)
        elif isinstance(target, _Weight) and not target.parts:
            target.parts = _weight_state(state)
        else:
            raise _Unexpected("it changes what is already made")
        self.stack.append(target)

    def set_items(self) -> None:
        items = self.pop_to_mark()
        target = self.pop()
        names = items[::2]
        if not isinstance(target, dict) or target or names != ["weight", "scales"]:
            raise _Unexpected("a weight has other attributes than weight and scales")
        target.update(zip(names, items[1::2], strict=True))
        self.stack.append(target)


def _named(value: Any) -> str:
    """What to call a value: never its content, which may be made to print without end."""
    return value.name if isinstance(value, _Global) else f"a {type(value).__name__}"


def _dtype_of(code: str, state: Any) -> np.dtype:
    if isinstance(state, tuple) and len(state) == 8 and type(state[0]) is int and state[0] == 3:
        simple = _BFLOAT16_DTYPE if code == "numpy:bfloat16" else _SIMPLE_DTYPE
        order = state[1]
        if isinstance(order, str) and (code, order) in _DTYPES and state[2:] == simple:
            return _DTYPES[code, order]
    raise _Unexpected(f"a dtype {code!r} that is not float32, int8 or bfloat16")


def _array_state(state: Any) -> tuple[tuple[int, ...], np.dtype, _Bytes]:
    if isinstance(state, tuple) and len(state) == 5 and state[0] == 1 and state[3] is False:
        _, shape, dtype, _, data = state
        whole = isinstance(shape, tuple) and all(type(n) is int and n > 0 for n in shape)
        if whole and len(shape) <= 3 and isinstance(dtype, _Dtype) and isinstance(data, _Bytes):
            if dtype.dtype is None:
                raise _Unexpected("a dtype was never filled")
            return shape, dtype.dtype, data
    raise _Unexpected("an array is filled in an unusual way")


def _weight_state(state: Any) -> dict[str, _Array]:
    if isinstance(state, dict) and state and all(isinstance(v, _Array) for v in state.values()):
        return state
    raise _Unexpected("a weight is filled in an unusual way")


def _push(make: Callable[[_Walk], Any]) -> Callable[[_Walk], None]:
    return lambda walk: walk.stack.append(make(walk))


_OPCODES: dict[bytes, Callable[[_Walk], None]] = {
    b"\x95": _Walk.skip_frame,
    b"\x8c": _push(_Walk.name),  # SHORT_BINUNICODE
    b"\x94": _Walk.memoize,
    b"h": _Walk.recall,  # BINGET
    b"\x93": _Walk.find_global,  # STACK_GLOBAL
    b"(": _push(lambda walk: _MARK),
    b")": _push(lambda walk: ()),
    b"}": _push(lambda walk: {}),
    b"\x85": lambda walk: walk.pop_tuple(1),
    b"\x86": lambda walk: walk.pop_tuple(2),
    b"\x87": lambda walk: walk.pop_tuple(3),
    b"t": _push(lambda walk: tuple(walk.pop_to_mark())),
    b"K": _push(lambda walk: walk.number(1)),
    b"M": _push(lambda walk: walk.number(2)),
    b"J": _push(lambda walk: walk.number(4, signed=True)),
    b"C": _push(lambda walk: walk.payload(1)),  # SHORT_BINBYTES
    b"B": _push(lambda walk: walk.payload(4)),  # BINBYTES
    b"\x8e": _push(lambda walk: walk.payload(8)),  # BINBYTES8
    b"N": _push(lambda walk: None),
    b"\x88": _push(lambda walk: True),
    b"\x89": _push(lambda walk: False),
    b"\x81": _Walk.new_object,  # NEWOBJ
    b"R": _Walk.reduce,
    b"b": _Walk.build,
    b"u": _Walk.set_items,
}

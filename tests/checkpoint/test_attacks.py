"""Pickles made to harm: each is refused, runs nothing, and takes no time and no memory."""

import copyreg
import pickle
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grok_app.checkpoint.tensor_reader import read_tensor
from grok_app.errors import CheckpointError

START, STOP = b"\x80\x04", b"."
MEMOIZE, MARK, EMPTY, TUPLE1, TUPLE2, TUPLE3, TUPLE = (
    b"\x94",
    b"(",
    b")",
    b"\x85",
    b"\x86",
    b"\x87",
    b"t",
)
REDUCE, BUILD, NEWOBJ, NONE, FALSE, TRUE = b"R", b"b", b"\x81", b"N", b"\x89", b"\x88"


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def data(value: bytes) -> bytes:
    return b"C" + bytes([len(value)]) + value


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


NDARRAY = name("numpy", "ndarray")
RECONSTRUCT = name("numpy.core.multiarray", "_reconstruct")
WEIGHT = name("__main__", "QuantizedWeight8bit")
FLOAT32 = (name("numpy", "dtype") + text("f4") + FALSE + TRUE + TUPLE3 + REDUCE) + (
    MARK + number(3) + text("<") + NONE * 3 + number(-1) * 2 + number(0) + TUPLE + BUILD
)
# A tuple that would print as 2^60 empty ones.
LAUGHS = EMPTY + b"".join(MEMOIZE + b"h" + bytes([i]) + TUPLE2 for i in range(60))


def empty_array(shape: int = 0) -> bytes:
    return RECONSTRUCT + NDARRAY + number(shape) + TUPLE1 + data(b"b") + TUPLE3 + REDUCE


def filled(shape: bytes = number(2) + TUPLE1, dtype: bytes = FLOAT32, size: int = 8) -> bytes:
    return MARK + number(1) + shape + dtype + FALSE + data(b"\0" * size) + TUPLE + BUILD


def dtype_with(code: str, *state: bytes) -> bytes:
    made = name("numpy", "dtype") + text(code) + FALSE + TRUE + TUPLE3 + REDUCE
    return made + MARK + b"".join(state) + TUPLE + BUILD


ATTACKS = {
    "an array of objects from bytes": (
        NDARRAY + number(1) + TUPLE1 + text("O") + data(b"A" * 8) + TUPLE3 + REDUCE
    ),
    "an array that overlaps itself by zero strides": (
        NDARRAY
        + (MARK + number(10**9) + TUPLE1 + text("f4") + data(b"AAAA") + number(0))
        + (number(0) + TUPLE1 + TUPLE + REDUCE)
    ),
    "uninitialised memory": empty_array(),
    "uninitialised memory of a size": empty_array(1_000_000),
    "uninitialised memory of a size, then filled": empty_array(1_000_000) + filled(),
    "attributes set on a class": (
        NDARRAY + NONE + b"}" + MARK + text("x") + NONE + b"u" + TUPLE2 + BUILD
    ),
    "attributes set on the weights' class": WEIGHT + b"}" + MARK + text("x") + NONE + b"u" + BUILD,
    "an array filled twice": empty_array() + filled() + filled(number(1) + TUPLE1, size=4),
    "a dtype filled twice": (
        empty_array() + filled(dtype=FLOAT32 + MARK + number(3) + text(">") + TUPLE + BUILD)
    ),
    "a dtype that was never filled": (
        empty_array()
        + filled(dtype=name("numpy", "dtype") + text("f4") + FALSE + TRUE + TUPLE3 + REDUCE)
    ),
    "bytes of another size than the type's": (
        empty_array()
        + filled(
            dtype=dtype_with("V8", number(3), text("|"), NONE * 3, number(1), number(1), number(0))
        )
    ),
    "a dtype with objects": (
        empty_array()
        + filled(
            dtype=dtype_with("O8", number(3), text("|"), NONE * 3, number(-1) * 2, number(63))
        )
    ),
    "a dtype that lies about its size": (
        empty_array()
        + filled(
            dtype=dtype_with("f4", number(3), text("<"), NONE * 3, number(1), number(1), number(0))
        )
    ),
    "the extension registry": b"\x82\xf0" + EMPTY + REDUCE,
    "a dotted name": name("numpy.core.multiarray", "_reconstruct.__globals__") + EMPTY + REDUCE,
    "a name under an allowed module": name("numpy", "ndarray.tofile") + EMPTY + REDUCE,
    "a global by the old opcode": b"cos\nsystem\n" + text("true") + TUPLE1 + REDUCE,
    "an instance by the old opcode": MARK + text("true") + b"ios\nsystem\n",
    "a decoded bomb": (
        name("_codecs", "decode") + data(b"x" * 99) + text("zip") + TUPLE2 + REDUCE
    ),
    "a memo of 2^32 entries": EMPTY + b"r" + b"\xff" * 4,
    "a bytearray of 2^40": b"\x96" + struct.pack("<Q", 2**40),
    "bytes of 2^40": b"\x8e" + struct.pack("<Q", 2**40),
    "a text of 2^40": b"\x8d" + struct.pack("<Q", 2**40),
    "a number of 2^31 digits": b"\x8b" + struct.pack("<I", 2**31 - 1),
    "a frame of 2^60": b"\x95" + struct.pack("<Q", 2**60) + NONE,
    "a tuple of tuples as a key": EMPTY + (b"2" + TUPLE2) * 30 + b"}" + b"2" + NONE + b"s",
    "a million laughs, called": LAUGHS + EMPTY + REDUCE,
    "a million laughs, made": LAUGHS + EMPTY + NEWOBJ,
    "a persistent id": b"Pevil\n",
    "a shape of no numbers": empty_array() + filled(text("2") + TUPLE1),
    "a shape of truths": empty_array() + filled(TRUE + TUPLE1, size=4),
    "a shape with a negative": empty_array() + filled(number(-2) + number(-1) + TUPLE2),
    "a shape of many axes": empty_array() + filled(MARK + number(1) * 100 + TUPLE, size=4),
    "an array in the order of columns": (
        empty_array()
        + MARK + number(1) + number(2) + TUPLE1 + FLOAT32 + TRUE + data(b"\0" * 8) + TUPLE + BUILD
    ),
    "a weight of one array twice": (
        (WEIGHT + EMPTY + NEWOBJ + b"}" + MARK)
        + (text("weight") + empty_array() + filled() + MEMOIZE)
        + (text("scales") + b"h\x00" + b"u" + BUILD)
    ),
    "a weight with a third attribute": (
        (WEIGHT + EMPTY + NEWOBJ + b"}" + MARK)
        + b"".join(text(part) + empty_array() + filled() for part in ("weight", "scales", "x"))
        + (b"u" + BUILD)
    ),
    "nothing": b"",
    "two values": NONE + NONE,
}  # fmt: skip


def test_the_pieces_make_a_good_file(tmp_path: Path) -> None:
    """So that an attack is refused for what it does, not for how these tests write."""
    path = tmp_path / "good"
    path.write_bytes(START + empty_array() + filled() + STOP)
    array = read_tensor(path)
    assert getattr(array, "shape", None) == (2,)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused(tmp_path: Path, attack: str) -> None:
    path = tmp_path / "evil"
    path.write_bytes(START + ATTACKS[attack] + STOP)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="evil"):
            read_tensor(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_warm_extension_registry_is_not_asked(tmp_path: Path) -> None:
    """A code that pickle has seen once never passes its `find_class` again."""
    path = tmp_path / "evil"
    content = START + b"\x82\xf0" + text("true") + TUPLE1 + REDUCE + STOP
    copyreg.add_extension("builtins", "len", 0xF0)
    try:
        assert pickle.loads(content) == 4  # the attack itself works
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="evil"):
            read_tensor(path)
    finally:
        copyreg.remove_extension("builtins", "len", 0xF0)


OPCODES = [
    *(MEMOIZE, MARK, EMPTY, TUPLE1, TUPLE2, TUPLE3, TUPLE, REDUCE, BUILD, NEWOBJ, NONE, FALSE),
    *(TRUE, b"}", b"u", b"\x93", b"h\x00", b"h\x01", b"h\x02", b"K\x01", b"2", b"0", b"e", b"s"),
    *(NDARRAY, RECONSTRUCT, WEIGHT, FLOAT32, empty_array(), filled(), text("weight")),
    *(text("scales"), text("f4"), data(b"b"), data(b"\0" * 8), number(3), number(-1)),
]


@given(opcodes=st.lists(st.sampled_from(OPCODES), max_size=40))
@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_opcodes_in_any_order_are_an_array_or_an_error(tmp_path: Path, opcodes) -> None:
    path = tmp_path / "any"
    path.write_bytes(START + b"".join(opcodes) + STOP)
    try:
        array = read_tensor(path)
    except CheckpointError:
        return
    assert getattr(array, "shape", None) == (2,)  # the only array these can make

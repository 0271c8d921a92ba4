"""One file: read exactly, written exactly, and nothing else admitted."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grok_app.checkpoint.stored import StoredWeight
from grok_app.checkpoint.tensor_reader import read_tensor
from grok_app.checkpoint.tensor_writer import write_tensor
from grok_app.errors import CheckpointError

SMALL = "tensor00001_000"  # a norm's scale
WEIGHT = "tensor00005_000"  # an attention matrix


def released(mini: Path) -> list[Path]:
    return sorted((mini / "ckpt-0").iterdir())


def test_what_is_written_is_the_released_file_byte_for_byte(mini: Path, tmp_path: Path) -> None:
    paths = released(mini)
    assert len(paths) == 38
    for path in paths:
        write_tensor(tmp_path / "copy", read_tensor(path))
        assert (tmp_path / "copy").read_bytes() == path.read_bytes()


def test_arrays_are_views_of_the_file(mini: Path) -> None:
    weight = read_tensor(mini / "ckpt-0" / WEIGHT)
    assert isinstance(weight, StoredWeight)
    assert not weight.weight.flags.owndata
    assert not weight.weight.flags.writeable


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=path.name) as caught:
        read_tensor(path)
    return str(caught.value)


class RunsCommand:
    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_code_in_a_file_never_runs(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    message = refused(tmp_path / "evil", pickle.dumps(RunsCommand(marker), protocol=4))
    assert "system" in message
    assert not marker.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array(["text"]),
        np.arange(3.0),  # float64
        {"weight": np.zeros(3, np.float32)},
        [np.zeros(3, np.float32)],
        "a text",
        7,
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_pickles_are_refused(tmp_path: Path, value: object) -> None:
    refused(tmp_path / "other", pickle.dumps(value, protocol=4))


def test_other_protocols_are_refused(tmp_path: Path) -> None:
    for protocol in (0, 2, 3, 5):
        refused(tmp_path / "other", pickle.dumps(np.zeros(3, np.float32), protocol=protocol))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "empty", b"")


@pytest.mark.parametrize("name", [SMALL, WEIGHT])
def test_trailing_bytes_are_refused(mini: Path, tmp_path: Path, name: str) -> None:
    content = (mini / "ckpt-0" / name).read_bytes()
    assert "bytes follow" in refused(tmp_path / name, content + b"\x00")
    assert "bytes follow" in refused(tmp_path / name, content + content)


def test_a_truncated_file_is_refused_wherever_it_ends(mini: Path, tmp_path: Path) -> None:
    for name in (SMALL, WEIGHT):
        content = (mini / "ckpt-0" / name).read_bytes()
        for length in (*range(0, len(content), 101), len(content) - 1):
            refused(tmp_path / name, content[:length])


def test_a_shape_that_lies_is_refused(mini: Path, tmp_path: Path) -> None:
    content = (mini / "ckpt-0" / SMALL).read_bytes()
    shape = b"K\x80\x85"  # (128,)
    assert content.count(shape) == 1
    for lie in (b"K\x81\x85", b"K\x7f\x85", b"K\x00\x85"):
        refused(tmp_path / SMALL, content.replace(shape, lie))
    refused(tmp_path / SMALL, content.replace(shape, b"J\xff\xff\xff\xff\x85"))


def test_a_length_beyond_the_file_allocates_nothing(mini: Path, tmp_path: Path) -> None:
    content = (mini / "ckpt-0" / SMALL).read_bytes()
    at = content.index(b"B\x00\x02\x00\x00")
    bomb = content[:at] + b"\x8e" + (2**40).to_bytes(8, "little") + content[at + 5 :]
    assert "announces 1099511627776 bytes" in refused(tmp_path / SMALL, bomb)


@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_an_array_or_an_error(mini: Path, tmp_path: Path, data) -> None:
    """Whatever bytes of the framing change, there is no crash and no other exception."""
    name = data.draw(st.sampled_from([SMALL, WEIGHT]))
    content = bytearray((mini / "ckpt-0" / name).read_bytes())
    framing = [*range(200), *range(len(content) - 600, len(content))]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from(framing))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(content)
    try:
        tensor = read_tensor(path)
    except CheckpointError:
        return
    arrays = [tensor] if isinstance(tensor, np.ndarray) else [tensor.weight, tensor.scales]
    assert all(array.astype(np.float32).size for array in arrays)

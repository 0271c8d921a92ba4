"""A trace has a text for every token, and can be saved and put into a table."""

import json
from pathlib import Path

import numpy as np
import pytest

import grok_app
from grok_app import Trace
from grok_app.errors import RequestError
from tests.engine.test_recording import EVERYTHING, SEEN

TEXT = "Grüße, 1 \U0001f30d!\n"
HEADS = [(5, 3), (0, 1)]


@pytest.fixture(scope="module")
def nano_trace(nano: grok_app.Engine) -> Trace:
    return nano.trace(TEXT, EVERYTHING, heads=HEADS, top=3)


def test_npz(nano_trace: Trace, tmp_path: Path) -> None:
    nano_trace.save(tmp_path / "trace.npz")
    with np.load(tmp_path / "trace.npz") as file:
        assert tuple(file["tokens"]) == nano_trace.tokens
        assert_equal(nano_trace, {name: file[name] for name in file if name != "tokens"})


def test_safetensors(nano_trace: Trace, tmp_path: Path) -> None:
    nano_trace.save(str(tmp_path / "trace.safetensors"))
    data = (tmp_path / "trace.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, numbers = json.loads(data[8 : 8 + size]), data[8 + size :]
    assert tuple(json.loads(header.pop("__metadata__")["tokens"])) == nano_trace.tokens
    kinds = {"F32": "<f4", "I32": "<i4", "U8": "u1"}
    arrays, end = {}, 0
    for name, told in header.items():  # without holes, as the format wants it
        start, stop = told["data_offsets"]
        assert start == end
        kind = np.dtype(kinds[told["dtype"]])
        assert (8 + size + start) % kind.itemsize == 0
        arrays[name] = np.frombuffer(numbers[start:stop], kind).reshape(told["shape"])
        end = stop
    assert end == len(numbers)
    assert_equal(nano_trace, arrays)


def assert_equal(trace: Trace, arrays: dict[str, np.ndarray]) -> None:
    assert tuple(arrays.pop("layers")) == trace.layers
    assert tuple(map(tuple, arrays.pop("heads"))) == trace.heads
    assert set(arrays) == {"token_ids", "logprobs", *SEEN}
    for name, array in arrays.items():
        assert array.dtype == getattr(trace, name).dtype
        np.testing.assert_array_equal(array, getattr(trace, name))


def test_another_name_is_refused(nano_trace: Trace, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"'trace.csv'; expected .* \.npz or \.safetensors"):
        nano_trace.save(tmp_path / "trace.csv")


def test_a_text_is_its_ids(nano: grok_app.Engine, nano_trace: Trace) -> None:
    ids = nano.encode(TEXT)
    assert nano_trace.token_ids.tolist() == ids
    same = nano.trace(ids, EVERYTHING, heads=HEADS, top=3)
    for name in (*SEEN, "logprobs"):
        np.testing.assert_array_equal(getattr(same, name), getattr(nano_trace, name))


def test_every_token_has_a_text(nano: grok_app.Engine, nano_trace: Trace) -> None:
    assert {"<0xF0>", "<0x9F>", "\n", "!"} <= set(nano_trace.tokens)
    assert nano.trace([2, 0, 1]).tokens == ("</s>", "<pad>", "<s>")


def test_a_row_is_a_token_at_a_layer(nano_trace: Trace) -> None:
    table, tokens = nano_trace.table(), len(nano_trace.tokens)
    assert {len(column) for column in table.values()} == {6 * tokens}
    assert {"expert_1", "gate_0", "router_logit_7", "lens_id_2", "lens_logprob_0"} <= set(table)
    row = 6 * 3 + 4  # the fourth token at the fifth layer
    assert (table["position"][row], table["layer"][row]) == (3, 4)
    assert table["token"][row] == nano_trace.tokens[3]
    assert table["token_id"][row] == nano_trace.token_ids[3]
    for column, name, place in (("expert_1", "experts", 1), ("lens_id_2", "lens_ids", 2)):
        assert table[column][row] == getattr(nano_trace, name)[4, 3, place]
    assert table["expert_1"].dtype == np.uint8


def test_a_row_is_a_token_where_nothing_is_of_layers(nano: grok_app.Engine) -> None:
    table = nano.trace([5, 6, 7], what=()).table()
    assert list(table) == ["position", "token_id", "token", "logprob"]
    assert table["token_id"].tolist() == [5, 6, 7]

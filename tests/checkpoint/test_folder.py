"""A folder that cannot be a model is refused with what is wrong and where."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.tensor_writer import write_tensor
from grok_app.errors import CheckpointError, SettingsError


@pytest.fixture
def copy(mini: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mini, tmp_path / "model"))


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_a_missing_folder(tmp_path: Path) -> None:
    assert "is not a folder" in refusal(tmp_path / "nowhere")


def test_missing_files_are_named(copy: Path) -> None:
    for number in (3, 17):
        (copy / "ckpt-0" / f"tensor{number:05d}_000").unlink()
    message = refusal(copy)
    assert "lacks 2 of 38" in message
    assert "tensor00003_000, tensor00017_000" in message


def test_an_empty_folder_would_be_grok_1(tmp_path: Path) -> None:
    assert "ckpt-0: cannot be entered: No such file" in refusal(tmp_path)
    (tmp_path / "ckpt-0").mkdir()
    message = refusal(tmp_path)
    assert "lacks 770 of 770" in message
    assert "this would be Grok-1" in message


@pytest.mark.parametrize("kind", ["a folder", "a link to nothing", "empty"])
def test_what_is_no_tensor_file_is_told_from_a_missing_one(copy: Path, kind: str) -> None:
    path = copy / "ckpt-0" / "tensor00003_000"
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    else:
        path.symlink_to("nowhere")
    assert kind in refusal(copy)
    assert "tensor00003_000" in refusal(copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("num_layers", 10**8), ("widening_factor", 1e308), ("sequence_len", 1)),
        *(("num_experts", 300), ("emb_size", 10**400), ("widening_factor", float("inf"))),
    ],
)
def test_sizes_beyond_all_bounds(copy: Path, key: str, value: float) -> None:
    values = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(values | {key: value}))
    assert f"{key} is {value!r}; expected a number from" in refusal(copy)


def test_heads_that_no_groups_of_scales_divide(copy: Path) -> None:
    values = json.loads((copy / "config.json").read_text())
    narrow = {"num_q_heads": 1, "num_kv_heads": 1, "key_size": 4}
    (copy / "config.json").write_text(json.dumps(values | narrow))
    assert "1 query heads of 4 are 4 wide; expected a multiple of 8" in refusal(copy)


def test_files_of_another_model(copy: Path) -> None:
    values = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(values | {"num_layers": 2}))
    assert "12 files more than the 26" in refusal(copy)


def test_a_half_copied_file_is_named(copy: Path) -> None:
    path = copy / "ckpt-0" / "tensor00004_000"
    path.write_bytes(path.read_bytes()[:300_000])
    assert "tensor00004_000" in refusal(copy)


def test_a_config_that_does_not_match_names_tensor_and_shapes(copy: Path) -> None:
    values = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(values | {"vocab_size": 1024}))
    message = refusal(copy)
    assert "language_model/in_out_embed/embeddings" in message
    assert "(512, 128)" in message
    assert "(1024, 128)" in message


def test_a_tensor_of_the_wrong_kind_is_named(copy: Path) -> None:
    write_tensor(copy / "ckpt-0" / "tensor00002_000", np.zeros((8, 128, 688), np.float32))
    assert "moe/linear/w should be an int8 weight" in refusal(copy)


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '"text"', "\udcff", "[" * 100_000])
def test_a_config_that_is_none(copy: Path, content: str) -> None:
    (copy / "config.json").write_bytes(content.encode(errors="surrogateescape"))
    assert "config.json" in refusal(copy)


def test_a_tokenizer_that_is_none(copy: Path) -> None:
    (copy / "tokenizer.model").write_bytes(b"not a model")
    with pytest.raises(CheckpointError, match="not a SentencePiece model"):
        grok_app.load(copy, EngineOptions(mesh=(1, 1)))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"mesh": (3, 7)}, "needs 21 devices"),
        ({"mesh": (1, 3)}, "model axes that do: 1, 2, 4, 8"),
        ({"mesh": (0, 1)}, "expected two positive numbers"),
        ({"mesh": (2, 1), "slots": 3}, "make slots a multiple"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"slots": 0}, "slots is 0"),
        ({"queue": -1}, "queue is -1"),
        ({"context": 257}, "context is 257; expected 2 to 256"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit(mini: Path, setting, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        grok_app.load(mini, EngineOptions(**{"mesh": (1, 1)} | setting))

"""The fingerprint tells models apart."""

import shutil
from pathlib import Path

import pytest

from grok_app.checkpoint.fingerprint import fingerprint
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.errors import CheckpointError


def test_a_copy_is_the_same_model_wherever_it_lies(mini: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(mini, tmp_path / "copy"))
    assert fingerprint(open_checkpoint(copy)) == fingerprint(open_checkpoint(mini))


def test_other_weights_are_another_model(mini: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(mini, tmp_path / "copy"))
    before = open_checkpoint(copy)
    for stored in list(before.tensors.values())[:2]:
        known = fingerprint(open_checkpoint(copy))
        array = stored.weight
        with array.path.open("r+b") as file:
            file.seek(array.start + array.nbytes // 2)
            file.write(b"\1\2\3\4")
        assert fingerprint(open_checkpoint(copy)) != known


def test_another_tokenizer_is_another_model(mini: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(mini, tmp_path / "copy"))
    (copy / "tokenizer.model").write_bytes(b"other")
    assert fingerprint(open_checkpoint(copy)) != fingerprint(open_checkpoint(mini))


@pytest.mark.parametrize("name", ["ckpt-0/tensor00003_000", "tokenizer.model"])
def test_a_file_that_cannot_be_read_is_named(mini: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(mini, tmp_path / "copy"))
    checkpoint = open_checkpoint(copy)
    (copy / name).unlink(missing_ok=True)
    (copy / name).mkdir()
    with pytest.raises(CheckpointError, match=f"{name}: cannot be read: Is a directory"):
        fingerprint(checkpoint)

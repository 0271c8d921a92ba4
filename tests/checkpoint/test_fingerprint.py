"""The fingerprint tells models apart."""

import shutil
from pathlib import Path

from grok_app.checkpoint.fingerprint import fingerprint
from grok_app.checkpoint.folder import open_checkpoint


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

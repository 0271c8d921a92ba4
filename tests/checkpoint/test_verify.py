"""All that is wrong with a folder is told at once, and nothing but headers is read for it."""

import errno
import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grok_app.checkpoint.folder import survey
from grok_app.checkpoint.tensor_writer import write_tensor
from grok_app.checkpoint.verify import _digest_all, read_digests, wrong_digests
from grok_app.errors import CheckpointError


@pytest.fixture
def copy(mini: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mini, tmp_path / "model"))


def digests_of(folder: Path) -> str:
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in sorted((folder / "ckpt-0").iterdir())
    )


def test_a_good_folder(mini: Path) -> None:
    assert survey(mini).problems == []


def test_grok_1_itself_is_good(grok_1: Path) -> None:
    sizes = {path.stat().st_size for path in (grok_1 / "ckpt-0").iterdir()}
    assert {1_611_137_347, 1_611_399_491} < sizes  # the released expert files, to the byte
    started = time.monotonic()
    found = survey(grok_1)
    assert found.problems == []
    assert found.checkpoint.nbytes == pytest.approx(318.2e9, rel=1e-3)
    assert time.monotonic() - started < 20  # reading 318 GB of zeros would take minutes


def test_everything_wrong_is_told_at_once(copy: Path) -> None:
    files = copy / "ckpt-0"
    (files / "tensor00007_000").unlink()
    (files / "tensor00099_000").write_bytes(b"")
    half = files / "tensor00004_000"
    half.write_bytes(half.read_bytes()[:300_000])
    write_tensor(files / "tensor00001_000", np.ones(64, np.float32))
    write_tensor(files / "tensor00002_000", np.zeros((8, 128, 688), np.float32))
    found = survey(copy)
    assert sorted(problem[: problem.index(":")] for problem in found.problems) == sorted(
        str(files / f"tensor{number:05d}_000") for number in (1, 2, 4, 7, 99)
    )
    told = "\n".join(found.problems)
    assert "has shape (64,), but config.json makes it (128,)" in told
    assert "should be an int8 weight with scales" in told
    assert "missing; it holds transformer/decoder_layer_0/multi_head_attention/query/w" in told
    assert "belongs to no tensor" in told
    assert len(found.checkpoint.tensors) == 34


def test_digests_that_agree(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "sums").write_text(digests_of(copy))
    assert wrong_digests(copy, read_digests(tmp_path / "sums")) == []


def test_names_of_digests_may_be_those_within_ckpt_0(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "sums").write_text(digests_of(copy).replace("  ckpt-0/", " *"))
    assert wrong_digests(copy, read_digests(tmp_path / "sums")) == []


def test_one_changed_bit_is_found(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "sums").write_text(digests_of(copy))
    path = copy / "ckpt-0" / "tensor00004_000"
    content = bytearray(path.read_bytes())
    content[400_000] ^= 1
    path.write_bytes(content)
    (copy / "ckpt-0" / "tensor00005_000").unlink()
    missing, changed = wrong_digests(copy, read_digests(tmp_path / "sums"))
    assert "tensor00005_000: missing" in missing
    assert "tensor00004_000: its SHA-256 is" in changed


def test_a_file_that_cannot_be_read_is_told_with_the_others(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sums").write_text(digests_of(copy))
    bad = copy / "ckpt-0" / "tensor00004_000"
    (copy / "ckpt-0" / "tensor00005_000").write_bytes(b"changed")
    opened = Path.open

    def failing(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", failing)
    unread, changed = wrong_digests(copy, read_digests(tmp_path / "sums"))
    assert "tensor00004_000: cannot be read: Input/output error" in unread
    assert "tensor00005_000: its SHA-256 is" in changed


def test_a_name_longer_than_any_file_has_is_missing(copy: Path, tmp_path: Path) -> None:
    name = "x" * 5000
    (tmp_path / "sums").write_text(f"{digests_of(copy)}{'0' * 64}  {name}\n")
    (problem,) = wrong_digests(copy, read_digests(tmp_path / "sums"))
    assert f"{name}: missing" in problem


def test_ctrl_c_reads_no_file_that_was_not_begun(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "sums").write_text(digests_of(copy))
    read: list[float] = []

    def interrupt(count: float) -> None:
        read.append(count)
        time.sleep(0.05)

    digests = _digest_all(sorted((copy / "ckpt-0").iterdir()), interrupt)
    next(digests)
    with pytest.raises(KeyboardInterrupt):
        digests.throw(KeyboardInterrupt)
    assert len(read) < 15 < len(list((copy / "ckpt-0").iterdir()))


def test_a_file_without_a_digest_is_told(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "sums").write_text("".join(digests_of(copy).splitlines(keepends=True)[1:]))
    (problem,) = wrong_digests(copy, read_digests(tmp_path / "sums"))
    assert "tensor00000_000" in problem


@pytest.mark.parametrize("line", ["nonsense", "abc  ckpt-0/tensor00000_000", "0" * 64])
def test_a_list_of_digests_that_is_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "sums").write_text(f"{'0' * 64}  ckpt-0/x\n{line}\n")
    with pytest.raises(CheckpointError, match=r"sums, line 2"):
        read_digests(tmp_path / "sums")

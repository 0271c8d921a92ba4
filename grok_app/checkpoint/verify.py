"""Whether the files of a checkpoint are whole: by their headers, or by their digests."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tqdm import tqdm

from grok_app.errors import CheckpointError

_LINE = re.compile(r"\\?([0-9a-fA-F]{64}) [ *](.+)")
_PIECE = 8 * 1024 * 1024  # bytes that are digested at once
_THREADS = 4


def read_digests(path: Path) -> dict[str, str]:
    """The digests that a file of `sha256sum` lists: {name of a file: hexadecimal digest}.

    Raises:
        CheckpointError: it cannot be read, or a line is not of that form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    digests = {}
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line.strip())
        if found:
            digests[found[2]] = found[1].lower()
        elif line.strip():
            raise CheckpointError(
                f"{path}, line {number}: {line[:80]!r} is no digest; expected lines as sha256sum "
                "writes them: 64 hexadecimal digits, two blanks, the name of a file"
            )
    return digests


def wrong_digests(folder: Path, digests: dict[str, str]) -> list[str]:
    """What does not agree with `digests`, a line each; a bar shows how far the reading is.

    Names are relative to `folder`, or to its `ckpt-0`. A tensor file without a digest is wrong
    too: a list of digests is there to vouch for all of them.
    """
    paths = {_locate(folder, name): digest for name, digest in digests.items()}
    missing = [path for path in paths if not os.path.isfile(path)]
    unlisted = sorted(set((folder / "ckpt-0").glob("tensor*")) - set(paths))
    present = [path for path in paths if path not in missing]
    total = sum(path.stat().st_size for path in present)
    with tqdm(total=total, unit="B", unit_scale=True, desc="verifying", delay=2) as bar:
        found = dict(_digest_all(present, bar.update))
    return [
        *(f"{path}: missing; the list of digests names it" for path in missing),
        *(f"{path}: the list of digests does not name it" for path in unlisted),
        *(line for path in present for line in _wrong(path, found[path], paths[path])),
    ]


def _wrong(path: Path, found: str | OSError, expected: str) -> Iterator[str]:
    if isinstance(found, OSError):
        yield f"{path}: cannot be read: {found.strerror}; copy it again, or look at the disk"
    elif found != expected:
        yield f"{path}: its SHA-256 is {found}, the list says {expected}; copy it again"


def _locate(folder: Path, name: str) -> Path:
    inside = folder / "ckpt-0" / name
    return inside if os.path.isfile(inside) else folder / name  # whatever name a list may have


def _digest_all(
    paths: Iterable[Path], progress: Callable[[float], Any]
) -> Generator[tuple[Path, str | OSError]]:
    with ThreadPoolExecutor(_THREADS) as pool:
        pending = {pool.submit(_digest, path, progress): path for path in paths}
        try:
            for done in as_completed(pending):
                yield pending[done], done.result()
        except BaseException:  # Ctrl+C: what has not begun is not read
            pool.shutdown(cancel_futures=True)
            raise


def _digest(path: Path, progress: Callable[[float], Any]) -> str | OSError:
    """The digest of a file, or why it cannot be read: the others are to be looked at anyway."""
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                progress(len(piece))
    except OSError as error:
        return error
    return digest.hexdigest()

"""Tells whether two folders hold the same model, without reading all of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from grok_app.checkpoint.folder import Checkpoint
from grok_app.errors import CheckpointError

_SAMPLE = 4096  # bytes from the middle of each array


def fingerprint(checkpoint: Checkpoint) -> str:
    """A short text that other weights, sizes or another tokenizer would change.

    Of each array only a few kilobytes are read: this is against mistakes, not against forgery.

    Raises:
        CheckpointError: a file cannot be read.
    """
    digest = hashlib.blake2b(repr(checkpoint.config).encode(), digest_size=8)
    for stored in checkpoint.tensors.values():
        for array in filter(None, (stored.weight, stored.scales)):
            start = array.start + max(0, array.nbytes - _SAMPLE) // 2
            digest.update(_read(array.path, start, min(_SAMPLE, array.nbytes)))
    tokenizer = checkpoint.folder / "tokenizer.model"
    digest.update(_read(tokenizer) if tokenizer.exists() else b"")
    return digest.hexdigest()


def _read(path: Path, start: int = 0, count: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(count)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error

"""Tells whether two folders hold the same model, without reading all of it."""

from __future__ import annotations

import hashlib

from grok_app.checkpoint.folder import Checkpoint

_SAMPLE = 4096  # bytes from the middle of each array


def fingerprint(checkpoint: Checkpoint) -> str:
    """A short text that other weights, sizes or another tokenizer would change.

    Of each array only a few kilobytes are read: this is against mistakes, not against forgery.
    """
    digest = hashlib.blake2b(repr(checkpoint.config).encode(), digest_size=8)
    for stored in checkpoint.tensors.values():
        for array in filter(None, (stored.weight, stored.scales)):
            with array.path.open("rb") as file:
                file.seek(array.start + max(0, array.nbytes - _SAMPLE) // 2)
                digest.update(file.read(min(_SAMPLE, array.nbytes)))
    tokenizer = checkpoint.folder / "tokenizer.model"
    digest.update(tokenizer.read_bytes() if tokenizer.exists() else b"")
    return digest.hexdigest()

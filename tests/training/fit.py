"""What every line that was written for a reply keeps to."""

from __future__ import annotations

from training.texts.corpus import is_rude
from training.texts.transcripts import polish


def assert_fit(text: str) -> None:
    """Good English in the form of a reply, and not too long for a small model."""
    assert text.isascii()
    assert polish(text) == text
    assert text[0].isupper()
    assert text[-1] in ".!?"
    assert len(text) <= 140
    assert not is_rude(text)

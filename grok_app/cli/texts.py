"""Texts in files that a person names."""

from __future__ import annotations

from pathlib import Path

from grok_app.errors import SettingsError
from grok_app.files import read_whole


def read_text(path: Path) -> str:
    """The text of a file, UTF-8.

    Raises:
        SettingsError: it cannot be read, or is empty.
    """
    try:
        text = read_whole(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    if not text:
        raise SettingsError(f"{path} is empty; expected a text of at least 2 tokens")
    return text

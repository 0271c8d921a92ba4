"""The spaces around a reply, which belong to the prompt's form and not to the text."""

from __future__ import annotations


class Trim:
    """Takes the spaces between label and reply away, and those at its end.

    Spaces at the end wait until text follows them, so nothing that was returned is taken back.
    """

    def __init__(self, raw: bool, begun: str = ""):
        """`raw` text is left as it is. The reply goes on from `begun`: where that ends in a word,
        the space after it stays."""
        self._raw = raw
        self._inside = bool(begun) and begun == begun.rstrip()
        self._held = ""

    def push(self, text: str) -> str:
        """What can be shown now that `text` has come."""
        if self._raw:
            return text
        text = self._held + text
        if not self._inside:
            text = text.lstrip()
        shown = text.rstrip()
        self._inside |= bool(shown)
        self._held = text[len(shown) :]
        return shown

"""Text for the page's Markdown, in which nothing can act as HTML."""

from __future__ import annotations

import re

# An invisible character after "<" where a tag could begin, and inside "![" where an image could:
# the text looks the same, where an escaped "&lt;" would not in a line of code, and it is copied
# without them (see page.js).
_BREAK = "\u2060"
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def harmless(text: str) -> str:
    """`text` with tags shown as text, and images not fetched from anywhere."""
    return _TAG.sub(f"<{_BREAK}", text).replace("![", f"!{_BREAK}[")


def original(text: str) -> str:
    """What `harmless` was given."""
    return text.replace(f"<{_BREAK}", "<").replace(f"!{_BREAK}[", "![")

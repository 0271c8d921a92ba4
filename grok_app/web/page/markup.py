"""Text for the page's Markdown, in which nothing can act as HTML."""

from __future__ import annotations

import re

# An invisible character after "<" where a tag could begin, inside "![" where an image could, inside
# "](file:" where a link to the reader's own files could, and before the word at which Gradio draws
# a diagram, which may fetch images too: the text looks the same, where an escaped "&lt;" would not
# in a line of code, and it is copied without them (see js/page.js).
_BREAK = "\u2060"
_ACTIVE = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)|```(?=mermaid)|\](?=[(:]\s*<?[Ff][Ii][Ll][Ee]:)")
# What is copied off the page may have lost the "[" after "!": it was drawn as a link.
_BROKEN = re.compile(rf"(<|!|```|\](?={_BREAK}[(:])){_BREAK}")


def harmless(text: str) -> str:
    """`text` with tags, diagrams and links to files shown as text, and images not fetched."""
    return _ACTIVE.sub(rf"\g<0>{_BREAK}", text)


def original(text: str) -> str:
    """What `harmless` was given."""
    return _BROKEN.sub(r"\1", text)

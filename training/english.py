"""What English needs to know of a noun before it can stand in a sentence."""

from __future__ import annotations

import re


def with_article(noun: str) -> str:
    """The noun after "a" or "an", as it sounds."""
    return f"{'an' if _VOWEL.match(noun) else 'a'} {noun}"


def capitalized(text: str) -> str:
    """The text with a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


_VOWEL = re.compile(r"(?!uni(?!n|m)|us[eu]|eu|one\b)[aeiou]|heir|hour|honest", re.IGNORECASE)

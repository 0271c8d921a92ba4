"""What English needs to know of a noun before it can stand in a sentence."""

from __future__ import annotations

import re
from random import Random


def with_article(noun: str) -> str:
    """The noun after "a" or "an", as it sounds."""
    return f"{'an' if _VOWEL.match(noun) else 'a'} {noun}"


def capitalized(text: str) -> str:
    """The text with a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


def invented_name(rng: Random) -> str:
    """A name of one to three syllables, such as "Tamiro" or "Bel"."""
    syllables = [rng.choice(_ONSETS) + rng.choice("aeiou") for _ in range(rng.randint(1, 3))]
    return capitalized("".join(syllables) + rng.choice(_CODAS))


_ONSETS = [*"bdfghjklmnprstvw", "br", "ch", "dr", "gr", "kr", "sh", "th", "tr"]
_CODAS = ["", "l", "n", "r", "s", "th", "ra"]
_VOWEL = re.compile(r"(?!uni(?!n|m)|us[eu]|eu|one\b)[aeiou]|heir|hour|honest", re.IGNORECASE)

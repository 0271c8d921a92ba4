"""A cynic's own definitions: of everyday words, and of any other person, place or thing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from random import Random

from training.transcripts import PHRASES

LINES = tomllib.loads((Path(__file__).parent / "lines" / "cynic.toml").read_text("utf-8"))

TIMES = 12
"""How often each definition is asked for, and each word that has none of its own."""


def definitions(rng: Random) -> Iterator[tuple[str, str]]:
    """(question, answer), of every word several times; in no order."""
    for word, answers in LINES["words"].items():
        for answer in answers * TIMES:
            yield ask_definition(word, rng), answer
    for kind in LINES["kinds"].values():
        for word in kind["words"] * TIMES:
            yield ask_definition(word, rng), rng.choice(kind["definitions"])


def ask_definition(word: str, rng: Random) -> str:
    """A question for the meaning of a word, with the article that it (most likely) needs."""
    article = "" if _uncounted(word) else "an " if word[0] in "aeiou" else "a "
    ask: str = rng.choice(PHRASES["questions"]["define"])
    return ask.format(word=word, Word=word[0].upper() + word[1:], a=article)


def _uncounted(word: str) -> bool:
    """Whether a word takes no article: known of our own words, guessed for a dictionary's."""
    return word in _UNCOUNTED if word in _OWN else bool(_LIKELY_UNCOUNTED.search(word))


_UNCOUNTED = frozenset(LINES["uncounted"])
_OWN = {*LINES["words"], *(word for kind in LINES["kinds"].values() for word in kind["words"])}
_LIKELY_UNCOUNTED = re.compile(
    r"^[A-Z]|(?:s|ism|ity|tion|ness|ing|ce|cy|fy|ize|ate|al|ed|ic|y|ous|able|ly)$"
)

"""A cynic's own definitions: of everyday words, and of any other person, place or thing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from random import Random

from training.texts.english import capitalized, with_article
from training.texts.transcripts import PHRASES

LINES = tomllib.loads((Path(__file__).parent / "lines" / "cynic.toml").read_text("utf-8"))

TIMES = 12
"""How often each definition is asked for, and each word that has none of its own."""

NAMED_SHARE = 0.7  # of the definitions that can, name their word


def definitions(rng: Random) -> Iterator[tuple[str, str]]:
    """(question, answer), of every word several times; in no order."""
    for word, answers in LINES["words"].items():
        for answer in answers * TIMES:
            yield ask_definition(word, rng), named(word, answer, rng)
    for kind in LINES["kinds"].values():
        for word in kind["words"] * TIMES:
            yield ask_definition(word, rng), named(word, rng.choice(kind["definitions"]), rng)


def ask_definition(word: str, rng: Random) -> str:
    """A question for the meaning of a word, with an article or in the plural as it needs."""
    ask: str = rng.choice(PHRASES["questions"]["define"])
    if word in LINES["plural"]:
        ask = ask.replace("is {a}", "are {a}").replace("is {word}", "are {word}")
    if word in LINES["definite"]:
        word = f"the {word}"
    return ask.format(word=word, Word=capitalized(word), a=_article(word))


def named(word: str, definition: str, rng: Random) -> str:
    """The definition of a noun, mostly as a sentence that begins with the noun.

    To say the word once more helps a small model to say what it means.
    """
    if not _NOMINAL.match(definition) or rng.random() >= NAMED_SHARE:
        return definition
    noun = f"the {word}" if word in LINES["definite"] else _article(word) + word
    verb = "are" if word in LINES["plural"] else "is"
    return f"{capitalized(noun)} {verb} {definition[0].lower()}{definition[1:]}"


def _article(word: str) -> str:
    """The article and a space; "" if there is none. It is guessed for a dictionary's words."""
    if word.startswith("the ") or word in LINES["uncounted"] or word in LINES["plural"]:
        return ""
    if word not in _OWN and _LIKELY_UNCOUNTED.search(word):
        return ""
    return with_article(word).removesuffix(word)


_NOMINAL = re.compile(r"(?:An?|The|One|What|Something|Someone|Two|People) ")
_OWN = {*LINES["words"], *(word for kind in LINES["kinds"].values() for word in kind["words"])}
_LIKELY_UNCOUNTED = re.compile(
    r"^[A-Z]|(?:s|ism|ity|tion|ness|ing|ce|cy|fy|ize|ate|al|ed|ic|y|ous|able|ly)$"
)

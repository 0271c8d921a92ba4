"""Talks in which somebody puts in a long text: pages of a book, a conversation of other people.

The other turns are short. A model that has seen no long one writes on in it, its labels and empty
lines too, instead of replying.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from training.texts.asides import opening
from training.texts.corpus import clean_prose
from training.texts.transcripts import draw_names, introduce, transcript

LINES = tomllib.loads((Path(__file__).parent / "lines" / "pasted.toml").read_text("utf-8"))

TALKS = 160
"""Conversations for each kind of preamble."""

CHARACTERS = (300, 2600)
PAGES_SHARE = 0.6  # of the texts are of books, if there are any
ONE_LINE_SHARE = 0.4  # of these are without line breaks
ASKED_SHARE = 0.8  # of the texts something is asked
MOST_BEFORE = 2  # exchanges


def pasted(
    books: Sequence[str], talks: Sequence[Sequence[str]], rng: Random
) -> Iterator[tuple[str, list[str]]]:
    """(kind of preamble, turns) of talks with a long text, taken of `books` or of `talks`."""
    for kind, replies in LINES["replies"].items():
        for _ in range(TALKS):
            before = opening(kind, rng.randint(0, MOST_BEFORE), rng)
            yield kind, [*before, _asked(_text(books, talks, rng), rng), rng.choice(replies)]


def _asked(text: str, rng: Random) -> str:
    """The text, with a question before or after it."""
    if rng.random() >= ASKED_SHARE:
        return text
    ask, gap = rng.choice(LINES["asks"]), rng.choice([" ", "\n", "\n\n"])
    return gap.join([ask, text] if rng.random() < 0.5 else [text, ask])


def _text(books: Sequence[str], talks: Sequence[Sequence[str]], rng: Random) -> str:
    size = rng.randint(*CHARACTERS)
    page = _page(rng.choice(books), size, rng) if books and rng.random() < PAGES_SHARE else ""
    if not page:
        names = draw_names(rng)
        page = transcript(introduce(rng.choice(talks), names), names).strip()
    elif rng.random() < ONE_LINE_SHARE:
        page = " ".join(page.split())
    return page if len(page) <= size else page[:size].rsplit(None, 1)[0]


def _page(book: str, size: int, rng: Random) -> str:
    """Some of a book from the beginning of a paragraph, mostly more than `size` characters; nothing
    where there is no prose."""
    around = 3 * size  # with the end of the paragraph before, and headings that go
    start = rng.randrange(max(1, len(book) - around))
    text = clean_prose(book[start : start + around])
    return text.partition("\n\n")[2] or text

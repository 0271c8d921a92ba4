"""Facts that a person brings along: of a long text only the passages that a question is about."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

LONGEST = 1_000_000  # characters
PASSAGE = 400  # characters, about 100 tokens: a fact or two with what stands around it
_SIZES = (PASSAGE, PASSAGE // 2, PASSAGE // 4)  # the smaller ones for a small context
_LEAST_RANK = -1e-4  # words that most passages have get -1e-6 and say nothing

_BREAK = re.compile(r"(?<=[.!?])\s+(?=\S)|\n+")
_BLANK = re.compile(r"\n\s*\n")


def choose(text: str, questions: list[str], count: Callable[[str], int], budget: int) -> list[str]:
    """What of `text` to give the model: all of it, or the best passages in their own order.

    Passages are ranked by BM25 (Robertson and Zaragoza 2009, as SQLite's full-text search has it)
    for the last of `questions`; where it shares no word with the text, for all of them together;
    and where these do not either, the text is taken from its beginning.

    Args:
        text: any text.
        questions: the messages of the person, the newest last.
        count: the number of tokens of a text.
        budget: most tokens to take.
    """
    if count(text) <= budget:
        return [text]
    tried = (_best(passages(text, size), questions, count, budget) for size in _SIZES)
    return next(filter(None, tried), [])


def _best(
    found: list[str], questions: list[str], count: Callable[[str], int], budget: int
) -> list[str]:
    """The best passages that the budget allows."""
    last = questions[-1:]
    order = (
        _ranked(found, last, _LEAST_RANK)
        or _ranked(found, questions, _LEAST_RANK)
        or _ranked(found, last, 0.0)  # a short text's words may all be in most of its passages
        or range(len(found))
    )
    taken: list[int] = []
    for index in order:
        cost = count(found[index] + "\n")
        if cost <= budget:
            taken.append(index)
            budget -= cost
    return [found[index] for index in sorted(taken)]


def passages(text: str, size: int = PASSAGE) -> list[str]:
    """The text in pieces of about `size` characters, parted where lines or sentences end.

    A paragraph never shares a piece with the next one unless both are short.
    """
    made: list[str] = []
    for paragraph in _BLANK.split(text):
        made.extend(_parts(paragraph, size))
    joined: list[str] = []
    for part in made:
        if joined and len(joined[-1]) + len(part) < size // 2:
            joined[-1] += "\n" + part
        else:
            joined.append(part)
    return joined


def _parts(paragraph: str, size: int) -> Iterator[str]:
    """A paragraph's lines and sentences, put together up to `size` characters."""
    part = ""
    for piece in filter(None, (piece.strip() for piece in _BREAK.split(paragraph))):
        while len(piece) > 2 * size:  # no sentence: cut where it can be
            cut = piece.rfind(" ", size // 2, size)
            cut = size if cut < 0 else cut
            yield from filter(None, (part, piece[:cut]))
            part, piece = "", piece[cut:].strip()
        if part and len(part) + len(piece) > size:
            yield part
            part = piece
        else:
            part = f"{part} {piece}" if part else piece
    if part:
        yield part


def _ranked(found: list[str], questions: list[str], least: float) -> list[int]:
    """Indices of the passages that share a word with the questions, the best first.

    SQLite's ranks are negative, the best the lowest; `least` leaves out those above it.
    """
    words = re.findall(r"\w+", " ".join(questions))
    if not words:
        return []
    wanted = " OR ".join(f'"{word}"' for word in dict.fromkeys(words))
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(text, tokenize='porter unicode61')"
        )
        database.executemany(
            "INSERT INTO passages(rowid, text) VALUES (?, ?)", enumerate(found, start=1)
        )
        rows = database.execute(
            "SELECT rowid FROM passages WHERE passages MATCH ? AND rank < ? ORDER BY rank",
            (wanted, least),
        )
        return [rowid - 1 for (rowid,) in rows]

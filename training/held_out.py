"""The held-out text of a corpus, as evaluation reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from training.corpus import HELD_OUT_EVERY, CorpusError, clean_prose, read_dialogues, read_prose
from training.transcripts import transcript
from training.wit import SHORT_TEXTS

HELD_TURNS = 16
"""Of each conversation, for its transcript."""

PROSE_CHARACTERS = 20_000
"""Of each book."""

Talks = dict[str, list[tuple[str, ...]]]
"""The turns of held-out conversations, by source."""


def held_out_talks(corpus: Path) -> Talks:
    """The conversations that training keeps out. Raises CorpusError, also if there are none."""
    talks: Talks = {}
    for conversation in read_dialogues(corpus):
        if conversation.held_out:
            talks.setdefault(conversation.source, []).append(conversation.turns)
    if not talks:
        raise CorpusError(
            f"no conversation of {corpus} is held out, and nothing can be measured: one line in "
            f"{HELD_OUT_EVERY} is, on average; add conversations"
        )
    return dict(sorted(talks.items()))


def held_out_texts(corpus: Path, talks: Talks) -> dict[str, list[str]]:
    """Documents by source: the first turns of each conversation, the beginning of each book."""
    texts = {
        source: [transcript(turns[:HELD_TURNS]) for turns in of_source]
        for source, of_source in talks.items()
    }
    books = (book for book in read_prose(corpus) if book.held_out)
    prose = [clean_prose(b.text)[:PROSE_CHARACTERS] for b in books if b.source not in SHORT_TEXTS]
    return texts | ({"prose": prose} if prose else {})


def evenly(number: int, available: Mapping[str, Sequence[object]]) -> dict[str, int]:
    """How many to take of each source, `number` in all: as many of one as of another, but all of
    a source that has too few. What all sources have together, where that is less."""
    counts = dict.fromkeys(available, 0)
    left = min(number, sum(map(len, available.values())))
    while left:
        for source, items in available.items():
            if left and counts[source] < len(items):
                counts[source] += 1
                left -= 1
    return counts

"""The held-out text of a corpus, as evaluation reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from training.texts.corpus import (
    HELD_OUT_EVERY,
    Conversation,
    CorpusError,
    clean_prose,
    read_dialogues,
    read_more_dialogues,
    read_prose,
)
from training.texts.transcripts import transcript
from training.texts.wit import SHORT_TEXTS

HELD_TURNS = 16
"""Of each conversation, for its transcript."""

PROSE_CHARACTERS = 20_000
"""Of each book."""

UNMEASURED = {"arc"}
"""Sources of the second file that hold problems of a benchmark's test part."""

Talks = dict[str, list[tuple[str, ...]]]
"""The turns of held-out conversations, by source."""


def held_out_talks(corpus: Path) -> Talks:
    """The conversations that training keeps out. Raises CorpusError, also if there are none."""
    talks = _held_out(read_dialogues(corpus))
    if not talks:
        raise CorpusError(
            f"no conversation of {corpus} is held out, and nothing can be measured: one line in "
            f"{HELD_OUT_EVERY} is, on average; add conversations"
        )
    return talks


def more_held_out_talks(corpus: Path) -> Talks:
    """Those of the corpus' second file, none if it has no such file; without UNMEASURED.

    Raises CorpusError.
    """
    talks = _held_out(read_more_dialogues(corpus))
    return {source: of_source for source, of_source in talks.items() if source not in UNMEASURED}


def _held_out(conversations: Iterable[Conversation]) -> Talks:
    talks: Talks = {}
    for conversation in conversations:
        if conversation.held_out:
            talks.setdefault(conversation.source, []).append(conversation.turns)
    return dict(sorted(talks.items()))


def held_out_texts(corpus: Path, talks: Talks) -> dict[str, list[str]]:
    """Documents by source: the first turns of each conversation, the beginning of each book."""
    texts = transcripts(talks)
    books = (book for book in read_prose(corpus) if book.held_out)
    prose = [clean_prose(b.text)[:PROSE_CHARACTERS] for b in books if b.source not in SHORT_TEXTS]
    return texts | ({"prose": prose} if prose else {})


def transcripts(talks: Talks) -> dict[str, list[str]]:
    """The first turns of each conversation as a document, by source."""
    return {
        source: [transcript(turns[:HELD_TURNS]) for turns in of_source]
        for source, of_source in talks.items()
    }


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

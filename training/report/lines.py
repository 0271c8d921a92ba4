"""Which lines were written for which persona, and whether a reply has one of another's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from training.texts import definitions, echoes, pasted, tales
from training.texts.asides import EXCHANGES
from training.texts.talks import stories
from training.texts.talks.check import FEWEST, sentences
from training.texts.talks.knowledge import JOKES
from training.texts.talks.voice import KINDS, REPLIES
from training.texts.voices import VOICES

_SLOT = re.compile(r"\{\w+\}")
_GAP = "zzgap"


def borrows(reply: str, kind: str) -> bool:
    """Whether a sentence of the reply was written for another kind of persona, not for this one.

    A line's slots stand for any words; one with fewer than FEWEST words beside them is anybody's.
    """
    own, others = _patterns(kind), [_patterns(other) for other in KINDS if other != kind]
    return any(
        any(other.fullmatch(sentence) for other in others) and not own.fullmatch(sentence)
        for sentence in sentences(reply)
    )


@cache
def _patterns(kind: str) -> re.Pattern[str]:
    """Of every sentence that was written for a kind of persona."""
    patterns = set[str]()
    for line in _written(kind):
        for sentence in sentences(_SLOT.sub(_GAP, line)):
            words = sentence.split()
            if sum(_GAP not in word for word in words) >= FEWEST:
                patterns.add(re.escape(sentence).replace(_GAP, ".+"))
    return re.compile("|".join(sorted(patterns)))


def _written(kind: str) -> Iterator[str]:
    for lines in REPLIES[kind].values():
        yield from lines
    yield from (text for text, *_ in JOKES[kind])
    for entry in EXCHANGES:
        if entry["kind"] == kind:
            yield from entry["replies"]
    for entry in echoes.ECHOES:
        yield from entry["replies"].get(kind, ())
    yield from pasted.LINES["replies"].get(kind, ())
    yield from _OF_ONE.get(kind, ())


def _topics(*parts: str) -> Iterator[str]:
    for topic in (*VOICES["topics"].values(), VOICES["general"]):
        for part in parts:
            yield from topic.get(part, ())


def _definitions() -> Iterator[str]:
    for texts in definitions.LINES["words"].values():
        yield from texts
    for of_kind in definitions.LINES["kinds"].values():
        yield from of_kind["definitions"]


def _tales() -> Iterator[str]:
    for plot in tales.LINES["plots"]:
        for beat in plot["beats"]:
            yield from beat
    for part in ("begin", "meet", "help", "end", "why", "name", "who", "gift", "where"):
        yield from stories.LINES[part]


_OF_ONE: dict[str, Iterable[str]] = {
    "grok": [*_topics("quips", "openers")],
    "tutor": [*_topics("asks", "nods")],
    "cynic": [*_definitions()],
    "storyteller": [*_tales()],
}

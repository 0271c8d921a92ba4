"""A persona's voice, put into what somebody else said.

The corpus has talkers but no wit and no tutor. So that a preamble means something, the replies that
follow it are given its voice: a wit adds a line about what was spoken of, a tutor only asks.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

VOICES = tomllib.loads((Path(__file__).parent / "lines" / "voices.toml").read_text("utf-8"))

QUIP_SHARE = 0.75  # of the replies on a known topic
ASIDE_SHARE = 0.3  # of the others
OPENER_SHARE = 0.15
NOD_SHARE = 0.2


def voiced(turns: Sequence[str], kind: str, rng: Random) -> list[str]:
    """The turns with every second one, a reply, in the voice of a kind of preamble, if it has one.

    No line of wit comes twice. A tutor has no reply left that does not ask.
    """
    speak = {"grok": _quip, "tutor": _ask}.get(kind)
    if speak is None:
        return list(turns)
    said, used = list(turns), set[str]()
    for at in range(1, len(turns), 2):
        said[at] = " ".join(speak(turns[at - 1], turns[at], used, rng))
    return said


def topic_of(text: str) -> dict[str, Any] | None:
    """The entry of voices.toml for what the text speaks of last, None if for nothing known."""
    named = _TOPIC_WORD.findall(text.lower())
    return _TOPIC_OF[named[-1]] if named else None


def _quip(said: str, reply: str, used: set[str], rng: Random) -> list[str]:
    """The reply's first sentences and a line of wit on what was spoken of, but none on sorrow."""
    if _SORROW.search(f"{said} {reply}".lower()):
        return _sentences(reply)[:2]
    topic = topic_of(said) or topic_of(reply)
    opener = _some(VOICES["general"]["openers"], OPENER_SHARE, used, rng)
    if topic:
        quip = _some(topic["quips"], QUIP_SHARE, used, rng)
    else:
        quip = _some(VOICES["general"]["quips"], ASIDE_SHARE, used, rng)
    return [*opener, *_sentences(reply)[:2], *quip]


def _ask(said: str, reply: str, used: set[str], rng: Random) -> list[str]:
    """The reply's own question, if it has one, or one on what the other spoke of."""
    topic, general = topic_of(said), VOICES["general"]
    question = [sentence for sentence in _sentences(reply) if sentence.endswith("?")][-1:]
    if topic and not question:
        question = _some(topic["asks"], 1, used, rng)
    if not question:
        question = _some(general["asks"], 1, used, rng) or [rng.choice(general["asks"])]
    return [*_some(general["nods"], NOD_SHARE, used, rng), *question]


def _some(lines: Sequence[str], share: float, used: set[str], rng: Random) -> list[str]:
    """A line not used yet, in a share of the cases, or nothing."""
    fresh = [line for line in lines if line not in used]
    if not fresh or rng.random() >= share:
        return []
    used.add(line := rng.choice(fresh))
    return [line]


def _sentences(text: str) -> list[str]:
    """The sentences of a text; the last one gets a stop where it ends in a letter or figure."""
    parts = [part for part in _SENTENCE_END.split(text.strip()) if part]
    if parts and parts[-1][-1].isalnum():
        parts[-1] += "."
    return parts


_SORROW = re.compile(
    r"\b(?:died?|dead|death|dying|passed away|funeral|grave|killed|cancer|hospital|surgery|sick|ill"
    r"|illness|sad|sorry|cry|crying|lonely|depressed|divorced?|lost|fired|hurts?|pain|suffer\w*"
    r"|afraid|scared|worried|accident|war)\b"
)
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\b(?:Dr|Mr|Ms|St)\.)(?<!\bMrs\.)\s+")
_TOPIC_OF = {word: topic for topic in VOICES["topics"].values() for word in topic["words"]}
_TOPIC_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_TOPIC_OF, key=len, reverse=True))})\b")

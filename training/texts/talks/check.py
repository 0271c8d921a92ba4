"""Whether a line of one persona comes from another's mouth, and whether a talk repeats itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

FEWEST = 4  # words of a sentence that is anybody's own: "Are you sure?" is everybody's


def sentences(reply: str) -> list[str]:
    """The reply's sentences of FEWEST words or more, without case and punctuation."""
    parts = (" ".join(re.findall(r"[\w'+/-]+", part)) for part in _END.split(reply.lower()))
    return [part for part in parts if len(part.split()) >= FEWEST]


def borrowed(replies: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """The sentences that come from more than one persona's mouth, each with whose they are.

    Args:
        replies: of each persona.
    """
    mouths: dict[str, set[str]] = {}
    for persona, said in replies.items():
        for reply in said:
            for sentence in sentences(reply):
                mouths.setdefault(sentence, set()).add(persona)
    return {sentence: whose for sentence, whose in mouths.items() if len(whose) > 1}


def repeated(replies: Sequence[str]) -> int:
    """How many of a talk's replies have a sentence that an earlier one had, or are as one was."""
    before, count = set[str](), 0
    for reply in replies:
        own = {*sentences(reply), reply.lower()}
        count += bool(own & before)
        before |= own
    return count


_END = re.compile(r"(?<=[.!?])[\"']?\s+")

"""The one function that turns a persona and a conversation into a prompt for a base model.

    {preamble}

    {User}: {an example turn}
    {Grok}: {an example reply}
    {User}: {the oldest turn there is room for}
    {Grok}: {its reply}
    {User}: {the newest turn}
    {Grok}:

The model continues the last line; its reply ends where the next label would begin.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from grok_app.chat.persona import Persona
from grok_app.errors import RequestError

Count = Callable[[str], int]
"""The number of tokens of a text."""

LONGEST_MESSAGE = 50_000  # characters; more is refused before it is counted


@dataclass(frozen=True)
class Turn:
    """What one side said."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Prompt:
    """What the model is given.

    Attributes:
        text: the prompt itself.
        tokens: its length.
        room: tokens that the reply may have.
        dropped: how many of the oldest turns found no room.
    """

    text: str
    tokens: int
    room: int
    dropped: int


def build_prompt(
    persona: Persona, turns: Sequence[Turn], count: Count, context: int, max_tokens: int
) -> Prompt:
    """The prompt for the reply to the last of `turns`.

    If the last turn is the assistant's, the reply continues it. Preamble, examples and the newest
    turn always stay; the oldest turns are dropped, whole, until at most `context` tokens are
    used with `max_tokens` kept free for the reply, but at most half of the context.

    Raises:
        RequestError: there is no text to answer, or the newest turn alone is too long.
    """
    if not turns or not turns[-1].text.strip():
        raise RequestError("the message is empty; write something first")
    longest = max(turns, key=lambda turn: len(turn.text))
    if len(longest.text) > LONGEST_MESSAGE:
        raise RequestError(
            f"the message has {len(longest.text):,} characters; at most {LONGEST_MESSAGE:,} can "
            "be read, and fewer fit the model's context: shorten it"
        )
    room = min(max_tokens, context // 2)
    head, *lines = _pieces(persona, turns)
    counts = [count(line) for line in lines]
    start, used = len(lines) - 1, count(head) + counts[-1]
    if used + room > context:
        raise RequestError(
            f"the message and the persona's preamble have {used} tokens; with {room} kept free for "
            f"the reply, {context} fit: shorten the message or lower the reply's length"
        )
    while start > 0 and used + counts[start - 1] + room <= context:
        start -= 1
        used += counts[start]
    text = head + "".join(lines[start:])
    tokens = count(text)  # counted whole: tokens may join or part where pieces meet
    return Prompt(text, tokens, max(room, min(max_tokens, context - tokens)), dropped=start)


def _pieces(persona: Persona, turns: Sequence[Turn]) -> list[str]:
    """What always stays, then a piece for each turn; put together they are the prompt."""
    if persona.labels is None:
        texts = [_legible(turn.text) for turn in turns]
        return [f"{persona.preamble}\n\n" if persona.preamble else "", *texts]
    names = vars(persona.labels)
    head = f"{persona.preamble}\n\n" if persona.preamble else ""
    for example in persona.examples:
        for role, text in vars(example).items():
            head += f"{names[role]}: {neutralize(text, persona)}\n"
    lines = [f"{names[turn.role]}: {neutralize(turn.text, persona)}\n" for turn in turns]
    if turns[-1].role == "assistant":
        lines[-1] = lines[-1].removesuffix("\n")
    else:
        lines[-1] += f"{persona.labels.assistant}:"
    return [head, *lines]


def neutralize(text: str, persona: Persona) -> str:
    """`text` as a turn's content: nothing in it can be read as a label or a stop string.

    A line that begins with a label loses the label's colon, a stop string its first character;
    look-alikes of labels (full-width letters, other cases, invisible characters) count too. All
    else stays. Only taking away makes sure that nothing new arises: applied twice it changes
    nothing more.
    """
    text = _legible(text).strip()
    changed = None
    while changed != text:
        changed = text
        if persona.labels is not None:
            text = "\n".join(_unlabelled(line, persona) for line in text.split("\n"))
        for stop in persona.stops:
            text = text.replace(stop, stop[1:])
        text = text.strip()
    return text


def _unlabelled(line: str, persona: Persona) -> str:
    if not _label_pattern(persona).match(_skeleton(line)):
        return line
    colon = next(i for i, character in enumerate(line) if ":" in _skeleton(character))
    return line[:colon] + line[colon + 1 :]


@lru_cache
def _label_pattern(persona: Persona) -> re.Pattern[str]:
    assert persona.labels is not None
    labels = "|".join(re.escape(_skeleton(label)) for label in vars(persona.labels).values())
    return re.compile(rf"\s*(?:{labels})\s*:")


def _skeleton(text: str) -> str:
    """What a text looks like: compatibility forms, cases and invisible characters folded."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Mn"))


def _legible(text: str) -> str:
    """One kind of line break, no control characters, no lone surrogates."""
    text = "\n".join(re.split(r"\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", text))
    text = text.encode(errors="replace").decode()
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")

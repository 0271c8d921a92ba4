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
from functools import cache, lru_cache
from typing import Literal

from grok_app.chat.facts import LONGEST as LONGEST_FACTS
from grok_app.chat.facts import choose
from grok_app.chat.persona import Persona
from grok_app.errors import ContextExceeded, RequestError

Encode = Callable[[str], Sequence[int]]
"""The token ids of a text."""

FACTS_PART = 3  # facts may take one in so many of the tokens that a reply leaves
_ROUNDS = 10  # of taking away, after which a text is taken to be made against this
LONGEST_MESSAGE = 50_000  # characters; more is refused before it is counted


@dataclass(frozen=True)
class Turn:
    """A message or a reply."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Prompt:
    """What the model is given.

    Attributes:
        text: the prompt itself.
        ids: its tokens, which the engine is to be given: no text is encoded twice.
        max_new_tokens: tokens that the reply may have.
        dropped: how many of the oldest turns found no room.
        facts: the passages that were taken of the facts given.
    """

    text: str
    ids: tuple[int, ...]
    max_new_tokens: int
    dropped: int
    facts: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Its length in tokens."""
        return len(self.ids)


def build_prompt(
    persona: Persona,
    turns: Sequence[Turn],
    encode: Encode,
    context: int,
    max_tokens: int,
    facts: str = "",
) -> Prompt:
    """The prompt for the reply to the last of `turns`.

    If the last turn is the assistant's, the reply continues it. Preamble, examples and the newest
    turn always stay; the oldest turns are dropped, whole, until at most `context` tokens are
    used with `max_tokens` kept free for the reply, but at most half of the context. Of `facts`,
    which stand after the preamble, what the newest turns are about is taken: at most a third of
    what the reply leaves.

    Raises:
        RequestError: there is no text to answer.
        ContextExceeded: the newest turn alone is too long, or something is beyond all bounds.
    """
    if not turns or not turns[-1].text.strip():
        raise RequestError("the message is empty; write something first")
    _check_lengths(turns)
    kept_free = min(max_tokens, context // 2)
    room = context - kept_free
    taken = _taken(facts, turns, encode, room // FACTS_PART)
    head, *lines = _pieces(persona, turns, taken)
    text, dropped = head + "".join(lines), 0
    ids = encode(text)
    if len(ids) > room:
        dropped = _dropped(head, lines, encode, room, kept_free)
        text = head + "".join(lines[dropped:])
        ids = encode(text)
    max_new_tokens = max(kept_free, min(max_tokens, context - len(ids)))
    return Prompt(text, tuple(ids), max_new_tokens, dropped, taken)


def _check_lengths(turns: Sequence[Turn]) -> None:
    """What is far too long is not even encoded."""
    for number, turn in enumerate(turns, 1 - len(turns)):
        size = len(turn.text)
        if size > LONGEST_MESSAGE:
            raise ContextExceeded(
                "the message has {size:,} characters; at most {most:,} can be read, and fewer fit "
                "the model's context: shorten it"
                if number == 0
                else "an earlier turn has {size:,} characters; at most {most:,} can be read: "
                "shorten it or leave it out",
                size=size,
                most=LONGEST_MESSAGE,
            )


def _dropped(head: str, lines: Sequence[str], encode: Encode, room: int, kept_free: int) -> int:
    """How many of the first lines to leave out, so that the rest has at most `room` tokens."""
    used = len(encode(head)) + len(encode(lines[-1]))
    if used > room:
        raise ContextExceeded(
            "the newest message and what stands before the conversation have {used} tokens; with "
            "{kept_free} kept free for the reply, {room} fit: shorten the message or what stands "
            "before it, or lower the reply's length"
            if used < room + kept_free
            else "the newest message and what stands before the conversation have {used} tokens; "
            "with {kept_free} kept free for the reply, {room} fit: shorten the message or what "
            "stands before it",
            used=used,
            kept_free=kept_free,
            room=room,
        )
    dropped = len(lines) - 1
    while dropped > 0:
        used += len(encode(lines[dropped - 1]))
        if used > room:
            break
        dropped -= 1
    return dropped


def _taken(facts: str, turns: Sequence[Turn], encode: Encode, budget: int) -> tuple[str, ...]:
    """The passages of `facts` that the last messages are about; see `facts.choose`."""
    if not facts.strip():
        return ()
    if len(facts) > LONGEST_FACTS:
        raise ContextExceeded(
            "the facts have {size:,} characters; at most {most:,} can be read: take out what is "
            "not needed",
            size=len(facts),
            most=LONGEST_FACTS,
        )
    questions = [turn.text for turn in turns if turn.role == "user"][-3:]
    passages = choose(_legible(facts).strip(), questions, lambda text: len(encode(text)), budget)
    return tuple(passages)


def _pieces(persona: Persona, turns: Sequence[Turn], facts: Sequence[str]) -> list[str]:
    """What always stays, then a piece for each turn; put together they are the prompt."""
    told = "\n".join(neutralize(passage, persona) for passage in facts)
    head = "".join(f"{text}\n\n" for text in (persona.preamble, told) if text)
    if persona.labels is None:
        return [head, *(_legible(turn.text) for turn in turns)]
    names = vars(persona.labels)
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

    A line that begins with a label loses the colons after it, and stop strings are taken out;
    look-alikes of labels (full-width letters, other cases, invisible characters) count too. All
    else stays. Only taking away makes sure that nothing new arises: applied twice it changes
    nothing more. The time grows with the text's length, whatever stands in it.
    """
    text = _legible(text).strip()
    for _ in range(_ROUNDS):
        before = text
        if persona.labels is not None:
            text = "\n".join(_unlabelled(line, persona) for line in text.split("\n"))
        text = _without(text, persona.stops).strip()
        if text == before:
            return text
    # Made so that each taking away brings another label about: no colon, no label.
    text = "".join(c for c in text if not _is_colon(c))
    return _without(text, persona.stops).strip()


def _unlabelled(line: str, persona: Persona) -> str:
    """The line without the colons that follow a label at its beginning."""
    if not _label_pattern(persona).match(_skeleton(line)):
        return line
    start = next(i for i, character in enumerate(line) if _is_colon(character))
    end = next((i for i, c in enumerate(line) if i > start and not _may_precede_colon(c)), None)
    return (
        line[:start]
        + "".join(c for c in line[start:end] if not _is_colon(c))
        + (line[end:] if end is not None else "")
    )


def _without(text: str, stops: Sequence[str]) -> str:
    """`text` with stop strings taken out of it until there is none.

    Goes through the text once, as an automaton of Aho and Corasick (1975): its states are the
    beginnings of stop strings, and where one is taken out the state is again what it was before.
    So a character costs the same, however long the stop strings are, once it has come in a state.
    """
    if not any(stop in text for stop in stops):
        return text
    begun = {stop[:size] for stop in stops for size in range(len(stop) + 1)}

    @cache
    def after(state: str, character: str) -> tuple[str, int]:
        """The next state: the longest end that begins a stop string; and how long the stop string
        is that ends here, or 0."""
        end = state + character
        state = next(end[i:] for i in range(len(end) + 1) if end[i:] in begun)
        return state, next((len(stop) for stop in stops if state.endswith(stop)), 0)

    kept: list[str] = []
    states = [""]
    for character in text:
        state, ended = after(states[-1], character)
        kept.append(character)
        states.append(state)
        if ended:
            del kept[-ended:], states[-ended:]
    return "".join(kept)


def _is_colon(character: str) -> bool:
    return ":" in _skeleton(character)


def _may_precede_colon(character: str) -> bool:
    """Whether a label's colon may still follow: a colon, a space, or what is not seen."""
    return not _skeleton(character).strip(": ") or character.isspace()


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
    return "".join(c for c in encodable(text) if c in "\n\t" or unicodedata.category(c) != "Cc")


def encodable(text: str) -> str:
    """`text` with a question mark for each lone surrogate, which can neither be sent nor kept."""
    return text.encode(errors="replace").decode()

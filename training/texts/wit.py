"""Conversations made of short texts: definitions, quips, riddles.

They give a small model something that a witty or a cynical persona would say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from random import Random

from training.texts.corpus import Passage, is_rude, plain
from training.texts.definitions import ask_definition, definitions
from training.texts.transcripts import PHRASES

SHORT_TEXTS = ("devil", "fortunes", "jargon")
"""Sources that are made into conversations; what is not among them is a book."""

Exchange = tuple[str, str]
LONGEST_REPLY = {"grok": 250, "cynic": 140}
"""Characters; 250 are about 45 words, or 75 tokens. Bierce's longer ones are beyond the model."""


def witty_turns(passages: Iterable[Passage], rng: Random) -> Iterator[tuple[str, list[str]]]:
    """(kind of preamble, turns) for talks that ask for definitions and for what passages say."""
    pools: dict[str, list[Exchange]] = {"cynic": list(definitions(rng)), "grok": []}
    for passage in passages:
        for kind, question, answer in _exchanges(passage, rng):
            if _fits(answer, kind) and not is_rude(f"{question} {answer}"):
                pools[kind].append((question, answer))
    for kind, pool in pools.items():
        rng.shuffle(pool)
        yield from ((kind, turns) for turns in _grouped(pool, rng))


def _exchanges(passage: Passage, rng: Random) -> Iterator[tuple[str, str, str]]:
    """(kind, question, answer) of a dictionary or a fortune."""
    if passage.source == "devil":
        for word, text in _DEVIL.findall(plain(passage.text)):
            yield "cynic", ask_definition(word.lower(), rng), _sentences(text)
    elif passage.source == "jargon":
        for word, text in _JARGON.findall(plain(passage.text)):
            meaning = _JARGON_MARKS.sub("", _sentences(text))
            yield "grok", ask_definition(word, rng), _sentences(meaning)
    elif passage.source == "fortunes":
        yield from _fortune(passage.title, _ATTRIBUTION.sub("", plain(passage.text)), rng)


def _fortune(title: str, text: str, rng: Random) -> Iterator[tuple[str, str, str]]:
    """A definition, a riddle or a quip; nothing if the text is of no such form."""
    if title == "definitions" and (match := _DEFINITION.fullmatch(text)):
        word, answer = match.groups()
        ask = _ask_law if _LAW.search(word) else ask_definition
        if word != "QOTD":
            yield "cynic", ask(_sentences(word), rng), _sentences(answer)
    elif title == "riddles":
        for question, answer in _RIDDLE.findall(text):
            yield "grok", _sentences(question), _sentences(answer)
    elif title in PHRASES["topics"] and not re.search(r"\n\s*\n|\n\t|^\w+:|\t|[<>{}|\\]", text):
        topic = PHRASES["topics"][title]
        asks = PHRASES["questions"]["topic" if topic and rng.random() < 0.6 else "quip"]
        yield "grok", rng.choice(asks).format(topic=topic), _unquoted(_sentences(text))


def _ask_law(word: str, rng: Random) -> str:
    return rng.choice(PHRASES["questions"]["law"]).format(word=word)


def _grouped(exchanges: list[Exchange], rng: Random) -> Iterator[list[str]]:
    """The exchanges in conversations of a few each."""
    rest = iter(exchanges)
    while turns := [
        turn
        for _, exchange in zip(range(rng.randint(1, 6)), rest, strict=False)
        for turn in exchange
    ]:
        yield turns


def _fits(reply: str, kind: str) -> bool:
    return 1 < len(reply) <= LONGEST_REPLY[kind] and reply[-1] not in ":;,-" and reply[0].isalnum()


def _sentences(text: str) -> str:
    """The text on one line, without the typesetter's underscores."""
    return " ".join(re.sub(r"(?<!\w)_|_(?!\w)", "", text).split())


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    return inner if text[:1] == text[-1:] == '"' and '"' not in inner else text


_DEVIL = re.compile(
    r"^([A-Z][A-Z'-]+(?: [A-Z'-]+)?), (?:n|v|adj|adv|v\.[it]|p|pp|x|n\.pl)\.\s+(.+?)(?=\n\n|\Z)",
    re.M | re.S,
)
_JARGON = re.compile(
    r"^([\w][\w' -]*)\n [^\n]*\n\n {4}((?:[^\n]|\n {4}(?=\S))+)(?=\n\n|\n?\Z)", re.MULTILINE
)
_JARGON_MARKS = re.compile(
    r"^(?:\d\. |\[[^\]]*\] ?|\([^)]*\) ?|v[ti.]* |interj\. )+"  # number, history, grammar
    r"| ?\b(?:See|Compare|Syn\.)(?: also)? [^.]*\{[^.]*\."  # pointers to other words
    r"| 2\. .*$"  # further meanings
    r"|[{}]|\*\*"
)
_ATTRIBUTION = re.compile(
    r"\s*(?:\n[\t ]*-{1,2}|(?<=[.?!\"']) *-(?=[A-Z])|\s-- (?=[A-Z])).*\Z", re.DOTALL
)
_LAW = re.compile(r"Law|Rule|Principle|Axiom|Theorem|'s ")
_DEFINITION = re.compile(r"([^\n:]{3,60}?)(?:,? [a-z. ]+\.|, n)?:\n\s+(.+)", re.DOTALL)
_RIDDLE = re.compile(r"^Q:\s+(.+?)\nA:\s+(.+?)(?=\n\n|\nQ:|\Z)", re.MULTILINE | re.DOTALL)

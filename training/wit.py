"""Conversations made of short texts and stories: definitions, quips, riddles, tales.

They give a small model something that a witty, a cynical or a story-telling persona would say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from random import Random

from training.corpus import Passage, clean_prose, is_rude, plain
from training.transcripts import PHRASES

SHORT_TEXTS = ("devil", "fortunes", "jargon")
"""Sources that are made into conversations; what is not among them is a book."""

Exchange = tuple[str, str]
LONGEST_REPLY = 250
"""Characters; about 45 words, or 75 tokens."""


def witty_turns(passages: Iterable[Passage], rng: Random) -> Iterator[tuple[str, list[str]]]:
    """(kind of preamble, turns) for conversations that ask for what the passages say."""
    pools: dict[str, list[Exchange]] = {"cynic": [], "grok": []}
    for passage in passages:
        if passage.source not in SHORT_TEXTS:  # far more than the others: an eighth will do
            tales = _stories(clean_prose(passage.text), rng)
            yield from (("storyteller", turns) for turns in tales if rng.random() < 1 / 8)
        for kind, question, answer in _exchanges(passage, rng):
            if _fits(answer) and not is_rude(f"{question} {answer}"):
                pools[kind].append((question, answer))
    for kind, pool in pools.items():
        rng.shuffle(pool)
        yield from ((kind, turns) for turns in _grouped(pool, rng))


def _exchanges(passage: Passage, rng: Random) -> Iterator[tuple[str, str, str]]:
    """(kind, question, answer) of a dictionary or a fortune."""
    if passage.source == "devil":
        for word, text in _DEVIL.findall(plain(passage.text)):
            yield "cynic", _ask_definition(word.lower(), rng), _sentences(text)
    elif passage.source == "jargon":
        for word, text in _JARGON.findall(plain(passage.text)):
            meaning = _JARGON_MARKS.sub("", _sentences(text))
            yield "grok", _ask_definition(word, rng), _sentences(meaning)
    elif passage.source == "fortunes":
        yield from _fortune(passage.title, _ATTRIBUTION.sub("", plain(passage.text)), rng)


def _fortune(title: str, text: str, rng: Random) -> Iterator[tuple[str, str, str]]:
    """A definition, a riddle or a quip; nothing if the text is of no such form."""
    if title == "definitions" and (match := _DEFINITION.fullmatch(text)):
        word, answer = match.groups()
        ask = _ask_law if _LAW.search(word) else _ask_definition
        if word != "QOTD":
            yield "cynic", ask(_sentences(word), rng), _sentences(answer)
    elif title == "riddles":
        for question, answer in _RIDDLE.findall(text):
            yield "grok", _sentences(question), _sentences(answer)
    elif title in PHRASES["topics"] and not re.search(r"\n\s*\n|\n\t|^\w+:|\t|[<>{}|\\]", text):
        topic = PHRASES["topics"][title]
        asks = PHRASES["questions"]["topic" if topic and rng.random() < 0.6 else "quip"]
        yield "grok", rng.choice(asks).format(topic=topic), _unquoted(_sentences(text))


def _ask_definition(word: str, rng: Random) -> str:
    article = "" if _UNCOUNTED.search(word) else "an " if word[0] in "aeiou" else "a "
    ask: str = rng.choice(PHRASES["questions"]["define"])
    return ask.format(word=word, Word=word[0].upper() + word[1:], a=article)


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


def _stories(book: str, rng: Random) -> Iterator[list[str]]:
    """Runs of short paragraphs of a book, told one after the other."""
    turns: list[str] = []
    for paragraph in book.split("\n\n"):
        fits = len(paragraph) >= 40 and _fits(paragraph) and "\n" not in paragraph
        if fits and not paragraph.startswith(('"', "'")):
            ask = rng.choice(PHRASES["questions"]["next"]) if turns else _ask_story(paragraph, rng)
            turns += [ask, paragraph]
        if not fits or len(turns) >= 8:
            if len(turns) >= 4:
                yield turns
            turns = []


def _ask_story(beginning: str, rng: Random) -> str:
    """For a story as such, or for one about a thing that its beginning speaks of."""
    asks = PHRASES["questions"]
    things = re.findall(r"\b(?:an?|the) ([b-df-hj-np-tv-z][a-z]{3,})\b", beginning)
    if things and rng.random() < 0.5:
        return rng.choice(asks["story_about"]).format(thing=rng.choice(things))
    return rng.choice(asks["story"])


def _fits(reply: str) -> bool:
    return 1 < len(reply) <= LONGEST_REPLY and reply[-1] not in ":;,-" and reply[0].isalnum()


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
_UNCOUNTED = re.compile(
    r"^[A-Z]|(?:s|ism|ity|tion|ness|ing|ce|cy|fy|ize|ate|al|ed|ic|y|ous|able|ly)$"
)
_ATTRIBUTION = re.compile(
    r"\s*(?:\n[\t ]*-{1,2}|(?<=[.?!\"']) *-(?=[A-Z])|\s-- (?=[A-Z])).*\Z", re.DOTALL
)
_LAW = re.compile(r"Law|Rule|Principle|Axiom|Theorem|'s ")
_DEFINITION = re.compile(r"([^\n:]{3,60}?)(?:,? [a-z. ]+\.|, n)?:\n\s+(.+)", re.DOTALL)
_RIDDLE = re.compile(r"^Q:\s+(.+?)\nA:\s+(.+?)(?=\n\n|\nQ:|\Z)", re.MULTILINE | re.DOTALL)

"""Reading a folder of training text, and cleaning it.

A corpus is a folder with `dialogues.jsonl.gz`, one `{"source", "turns": [str, ...]}` a line, and
perhaps `prose.jsonl.gz`, one `{"source", "title", "text"}` a line. A line is held out, that is
kept from training for evaluation, by a hash of its bytes: the same lines whatever their order.
There may be more conversations in `dialogues2.jsonl.gz`, the held-out ones in a file of their own,
`heldout2.jsonl.gz`.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIALOGUES = "dialogues.jsonl.gz"
MORE_DIALOGUES, MORE_HELD_OUT = "dialogues2.jsonl.gz", "heldout2.jsonl.gz"
PROSE = "prose.jsonl.gz"
HELD_OUT_EVERY = 50


NAME_GAP = re.compile(
    r"[\[(](?:(?:insert |your )?name|username|user ?([12])(?:'s)?(?: ?name)?)[\])]|\buser ([12])\b",
    re.IGNORECASE,
)
"""Where a conversation has a gap for a speaker's name; a group may hold the speaker's number."""


CRISIS_LINE = re.compile(
    r"\b(?:crisis|suicide|emergency) (?:line|hotline|number)\b|\bhotline\b|\bhelpline\b",
    re.IGNORECASE,
)
"""What no reply names: help for people in danger is the page's own, fixed and not the model's."""


class CorpusError(Exception):
    """The folder of training text is missing, or a line of it is not in the expected form."""


@dataclass(frozen=True)
class Conversation:
    """What two speakers said in turn; a turn is one line of text, as it stands in the corpus."""

    source: str
    turns: tuple[str, ...]
    held_out: bool


@dataclass(frozen=True)
class Passage:
    """A book or a short text, as it stands in the corpus."""

    source: str
    title: str
    text: str
    held_out: bool


def read_dialogues(folder: Path) -> Iterator[Conversation]:
    """The conversations of a corpus, in the file's order. Raises CorpusError."""
    for line, held_out, place in _lines(folder / DIALOGUES):
        yield _conversation(line, held_out, place)


def read_more_dialogues(folder: Path) -> Iterator[Conversation]:
    """The further conversations of a corpus, none if it has no such files. Raises CorpusError."""
    for name in (MORE_DIALOGUES, MORE_HELD_OUT):
        if (folder / name).exists():
            for line, _, place in _lines(folder / name):
                yield _conversation(line, name == MORE_HELD_OUT, place)


def read_prose(folder: Path) -> Iterator[Passage]:
    """The books and short texts of a corpus, none if it has no such file. Raises CorpusError."""
    if not (folder / PROSE).exists():
        return
    for line, held_out, place in _lines(folder / PROSE):
        source, title, text = (_text(line, key, place) for key in ("source", "title", "text"))
        yield Passage(source, title, text, held_out)


def clean_turns(turns: tuple[str, ...]) -> list[list[str]]:
    """The parts of a conversation that are fit for training.

    Turns that are rude, garbled or full of addresses are left out, and those that name a
    CRISIS_LINE. It cuts the conversation there. Each part begins with the first speaker, so that
    the speakers keep their places.
    """
    parts: list[list[str]] = [[]]
    for index, raw in enumerate(turns):
        turn = _clean_turn(raw)
        if not turn or is_rude(turn) or _unfit(turn):
            parts.append([])
        elif parts[-1] or index % 2 == 0:
            parts[-1].append(turn)
    return [part for part in parts if len(part) > 1]


def clean_prose(text: str) -> str:
    """A book without its title page, headings, tables and typesetters' marks."""
    _, _, body = text.partition("\n-------\n") if text.startswith("Title:") else ("", "", text)
    paragraphs = (_clean_paragraph(part) for part in re.split(r"\n{2,}", plain(body)))
    return "\n\n".join(part for part in paragraphs if part and not is_rude(part))


def plain(text: str) -> str:
    """The text with plain quotes, dashes and spaces, without control characters."""
    return _CONTROL.sub("", text.translate(_PLAIN))


def is_rude(text: str) -> bool:
    """Whether a word is in the text that a polite model should not learn."""
    return _RUDE.search(text) is not None


def _conversation(line: dict[str, Any], held_out: bool, place: str) -> Conversation:
    turns = line.get("turns")
    if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns):
        raise CorpusError(f'{place}: "turns" must be a list of texts')
    joined = (" ".join(turn.split()) for turn in turns)
    return Conversation(_text(line, "source", place), tuple(joined), held_out)


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], bool, str]]:
    """The objects of a file, each with whether it is held out and where it stands."""
    if not path.is_file():
        raise CorpusError(f"no file {path}; --corpus must name a folder that holds {DIALOGUES}")
    try:
        with gzip.open(path, "rb") as file:
            for number, raw in enumerate(file, 1):
                yield _object(raw, place := f"{path}, line {number}"), _held_out(raw), place
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CorpusError(f"{path} is no complete gzip file ({error}): copy it again") from None


def _object(raw: bytes, place: str) -> dict[str, Any]:
    try:
        line = json.loads(raw)
    except ValueError as error:
        raise CorpusError(f"{place}: not JSON ({error})") from None
    if not isinstance(line, dict):
        raise CorpusError(f"{place}: expected a JSON object")
    return line


def _held_out(raw: bytes) -> bool:
    digest = hashlib.blake2b(raw, digest_size=8).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_EVERY == 0


def _text(line: dict[str, Any], key: str, place: str) -> str:
    if not isinstance(line.get(key), str):
        raise CorpusError(f'{place}: "{key}" must be a text')
    return line[key]


_PLAIN = str.maketrans(
    {
        **dict.fromkeys("“”„«»", '"'),
        **dict.fromkeys("‘’‚´`′", "'"),
        **dict.fromkeys("\xa0\u200a\u2009\u3000\t\v\f", " "),
        **dict.fromkeys("\ufeff\u200b\u2060\xad\r"),
        "–": "-",
        "—": "--",
        "…": "...",
    }
)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")

_STRAY = re.compile(r"^[*\s]+(?=[\w\"'])|[*\\\s]+$")
_SPACE_BEFORE = re.compile(r"(?<=\w) +(?=[,?!.](?:\s|$))")
_NO_SPACE_AFTER = re.compile(r"(?<=[a-z]{2})([?!,]|\.(?!com|org|net))(?=[A-Z])")
_UNFIT_TURN = re.compile(r"https?:|www\.\w|[<>{}|\\^~]|\[[a-zA-Z]|(.)\1{6}|\S{30}")


def _clean_turn(turn: str) -> str:
    turn = " ".join(_STRAY.sub("", plain(turn)).split())
    return _NO_SPACE_AFTER.sub(r"\1 ", _SPACE_BEFORE.sub("", turn))


def _unfit(turn: str) -> bool:
    return (
        CRISIS_LINE.search(turn) is not None
        or _UNFIT_TURN.search(NAME_GAP.sub("", turn)) is not None
    )


_HEADING = re.compile(r"(chapter|book|part|volume|canto|scene|act)\b[^\n]{0,80}$", re.I)
_UNFIT_PARAGRAPH = re.compile("[|ÃÂ¦¯©\x80-\x9f#]|\\w_\\w")


def _clean_paragraph(text: str) -> str:
    """The paragraph, or nothing if it is a heading, a table or badly encoded."""
    text = re.sub(r"(?m)^[>\s]+|(?<!\w)_|_(?!\w)|\*", "", text)
    text = re.sub(r" {2,}", " ", text).strip()
    letters = sum(map(str.isalpha, text))
    too_bare = letters < 0.5 * len(text) or not any(map(str.islower, text))
    return "" if too_bare or _HEADING.match(text) or _UNFIT_PARAGRAPH.search(text) else text


# Word stems, written in ROT13 so that a reader of this file is not met by them.
_RUDE_STEMS = """
    nffubyr nff nefrubyr onfgneq ovgpu oybjwbo obare ohyyfuvg ohggubyr pbpxfhpxre pyvg pbba phag
    qnzzvg qvpxurnq qvyqb qbhpur qlxr snt snttbg shpx shpxre tbqqnza tbbx ubeal vaprfg wnpxnff wvmm
    xvxr znfgheongr zbgureshpxre avttn avttre betnfz betl cravf cvff cbea cbeab cebfgvghgr chffl
    encr encvfg ergneq fpebghz frk frkhny frkl fuvg fyhg fbqbzl fhvpvqr gvggvrf gjng intvan ihyin
    jnax juber jrgonpx
"""
_ENDINGS = r"(?:s|es|ed|d|er|ers|ing|in|y|ty|ting|ish)?"
_RUDE = re.compile(
    rf"\b(?:{'|'.join(codecs.decode(_RUDE_STEMS, 'rot13').split())}){_ENDINGS}\b", re.IGNORECASE
)

"""The personas a visitor can choose from: the shipped ones, and those of one's own.

One's own live in the visitor's browser, as JSON: `{slug: the TOML of its file}`. Every request
brings that text along, so it is untrusted: bounded, and read anew each time.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from grok_app.chat import Persona, read_persona, write_persona
from grok_app.chat.persona import parse_persona
from grok_app.errors import PersonaError, RequestError

MOST = 50  # personas of one's own that can be made
_MOST_READ = 2 * MOST  # what is taken back, or comes of two tabs, may be more
MOST_EXAMPLES = 6
LENGTHS = {"name": 80, "icon": 16, "description": 500}  # at most so many characters
_LONGEST = 20_000  # characters of a persona's file
_LONGEST_STORE = 2 * _MOST_READ * _LONGEST  # characters of JSON, which escapes some
_MOST_DOTS = 20
_LONGEST_STOP = 100  # characters
_COUNTS = {"examples": MOST_EXAMPLES, "stop": 16, "suggestions": 12}
_SLUG = re.compile(r"own-[0-9a-f]{8}")
Choices = list[tuple[str, str]]
"""What a dropdown offers: (what is read, slug)."""
Change = dict[str, str | None]
"""What becomes of a visitor's own personas: their new files, by slug; None for one that goes."""


class Personas:
    """The shipped personas, and the way to a visitor's own, which are in the text `own`."""

    def __init__(self, shipped: Sequence[Persona]):
        """`shipped` has at least one; the first is the one to begin with."""
        self._shipped = {persona.slug: persona for persona in shipped}
        self.first = shipped[0]

    def find(self, slug: str, own: str = "") -> Persona:
        """The persona of that slug.

        Raises:
            RequestError: there is none, or it cannot be read; says what to do.
        """
        if slug in self._shipped:
            return self._shipped[slug]
        try:
            return read_own(slug, texts_of(own)[slug])
        except KeyError:
            raise RequestError(
                "there is no persona {slug!r} in this browser; choose another, or import its file",
                field="persona",
                slug=slug,
            ) from None
        except PersonaError as error:
            raise RequestError(
                "{problem}; correct it on the tab Personas, or choose another",
                field="persona",
                problem=error,
            ) from None

    @staticmethod
    def joined(own: str, brought: str) -> str:
        """A visitor's own personas with those that a replay brought along, as `find` takes them;
        the visitor's own alone where one of the two cannot be read."""
        with suppress(PersonaError):
            return json.dumps(texts_of(own) | texts_of(brought)) if brought else own
        return own

    def is_shipped(self, slug: str) -> bool:
        """Whether it comes with the page, so that a visitor cannot change it."""
        return slug in self._shipped

    def choices(self, own: str = "") -> Choices:
        """All of them, the shipped ones first; what cannot be read is marked with a sign."""
        shipped = [_choice(slug, persona) for slug, persona in self._shipped.items()]
        try:
            texts = texts_of(own)
        except PersonaError:
            return shipped
        return shipped + [_own_choice(slug, text) for slug, text in texts.items()]


def texts_of(own: str) -> dict[str, str]:
    """The files of a visitor's own personas, by slug; no text means none.

    Raises:
        PersonaError: it is malformed, or has more than twice as many as can be made.
    """
    try:
        texts = json.loads(own[:_LONGEST_STORE]) if own else {}
        if not isinstance(texts, dict):
            raise ValueError
        if len(texts) > _MOST_READ:
            raise ValueError
        for slug, text in texts.items():
            if not _SLUG.fullmatch(slug) or not isinstance(text, str):
                raise ValueError
    except (ValueError, RecursionError):
        raise PersonaError(
            "what your browser keeps as your personas cannot be read, and is left as it is; "
            "to begin anew, delete this site's data in the browser"
        ) from None
    return texts


def changed(own: str, change: Change) -> str:
    """What the browser keeps after that change.

    Raises:
        PersonaError: as `texts_of`, or it would add one more than there may be.
    """
    before = texts_of(own)
    after = {slug: text for slug, text in (before | change).items() if text is not None}
    if len(after) > max(MOST, len(before)):
        raise PersonaError(
            "there is room for {most} personas of your own; delete one first", most=MOST
        )
    return json.dumps(after, ensure_ascii=False)


def new_slug() -> str:
    """A slug for one more persona: its name may change, and two may have the same."""
    return f"own-{secrets.token_hex(4)}"


@lru_cache(maxsize=512)
def read_own(slug: str, text: str) -> Persona:
    """A visitor's persona from the text of its file; every request brings it along.

    Raises:
        PersonaError: it is malformed or too large; names the key.
    """
    if len(text) > _LONGEST:
        raise PersonaError(
            "the persona has {size:,} characters; at most {most:,} fit",
            size=len(text),
            most=_LONGEST,
        )
    if any(_is_deep(line) for line in text.splitlines()):
        raise PersonaError("a key has too many dots to be a persona's")
    persona = read_persona(slug, text)
    for key, most in (LENGTHS | _COUNTS).items():
        size = len(getattr(persona, key))
        if size > most:
            raise PersonaError(
                "{field} has {size:,} characters; expected at most {most:,}"
                if key in LENGTHS
                else "{field} has {size:,} entries; expected at most {most:,}",
                field=key,
                size=size,
                most=most,
            )
    if any(len(stop) > _LONGEST_STOP for stop in persona.stop):
        raise PersonaError(
            "{field} has a text of over {most} characters; shorten it",
            field="stop",
            most=_LONGEST_STOP,
        )
    return persona


def write_own(slug: str, table: dict[str, Any]) -> str:
    """The text of the file that says what `table` does.

    Raises:
        PersonaError: as `read_own`.
    """
    text = write_persona(parse_persona(slug, table))
    read_own(slug, text)
    return text


def _is_deep(line: str) -> bool:
    """Whether a line names a table in tables in tables, over which a reader of TOML takes long."""
    name, equals, _ = line.partition("=")
    return name.count(".") > _MOST_DOTS and bool(equals or name.lstrip().startswith("["))


def _own_choice(slug: str, text: str) -> tuple[str, str]:
    try:
        return _choice(slug, read_own(slug, text))
    except PersonaError:
        return f"\N{WARNING SIGN} {slug}", slug


def _choice(slug: str, persona: Persona) -> tuple[str, str]:
    return f"{persona.icon} {persona.name}", slug

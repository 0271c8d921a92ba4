"""The page in the reader's language: English as it is written, German from tables."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import gradio as gr
from gradio.i18n import I18nData

_TEXTS = ("label", "info", "placeholder", "value")  # what of a component is for reading
Translate = Callable[[str], str]
"""English to the language of a reader; what has no translation stays English."""


def i18n(*texts: Callable[[Translate], str]) -> gr.I18n:
    """The table for the browser, which chooses by its own language. English is the key.

    What is filled in on the server is in no file: of these `texts` each is made in both languages.
    """
    german = _german() | {text(_as_it_is): text(to_german) for text in texts}
    return gr.I18n(en={text: text for text in german}, de=german)


def translated(text: Callable[[Translate], str]) -> I18nData:
    """One of the texts of `i18n`, for a component to show."""
    return I18nData(text(_as_it_is))


def translatable(blocks: gr.Blocks) -> None:
    """Has the browser translate every text of the page's components that is in the table."""
    german = _german()
    for block in blocks.blocks.values():
        for name in _TEXTS:
            text = getattr(block, name, None)
            if isinstance(text, str) and text in german:
                setattr(block, name, I18nData(text))


def language_of(request: gr.Request) -> Translate:
    """For texts that the server makes: the first language that the visitor's browser asks for."""
    asked = request.headers.get("accept-language", "")
    return to_german if asked.lower().startswith("de") else _as_it_is


def to_german(text: str) -> str:
    """A text of the page or a message of an error; one that is in no table stays as it is."""
    return _german().get(text) or _error_in_german(text)


def _error_in_german(text: str) -> str:
    """A message in which figures and words stand; at `problem` another one, at `where` a place."""
    for message, german in _german_errors():
        if found := message.fullmatch(text):
            parts = found.groupdict().items()
            return german.format_map(
                {
                    name: to_german(part) if name in ("problem", "where") else _part(part)
                    for name, part in parts
                }
            )
    return text


def _part(text: str) -> str:
    return text.replace(",", ".") if _THOUSANDS.fullmatch(text) else _errors().get(text, text)


def _as_it_is(text: str) -> str:
    return text


_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")


@cache
def _errors() -> dict[str, str]:
    return tomllib.loads((Path(__file__).parent / "german_errors.toml").read_text("utf-8"))


@cache
def _german_errors() -> list[tuple[re.Pattern[str], str]]:
    """A pattern for each message, with a group for each name in braces, and its German."""
    return [(_pattern(english), german) for english, german in _errors().items()]


def _pattern(template: str) -> re.Pattern[str]:
    """What stands at a name goes on to the first place where the text after it follows.

    The groups are atomic: a message may quote pages of a visitor's, and no second way is tried.
    """
    begin, *rest = map(re.escape, re.split(r"{(\w+)}", template))  # text and name by turns
    named = zip(rest[::2], rest[1::2], strict=True)
    parts = (f"(?>(?P<{name}>.*?){after})" if after else f"(?P<{name}>.*)" for name, after in named)
    return re.compile(begin + "".join(parts), re.DOTALL)


@cache
def _german() -> dict[str, str]:
    return tomllib.loads((Path(__file__).parent / "german.toml").read_text("utf-8"))

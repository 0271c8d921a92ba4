"""The page in the reader's language: English as it is written, German from tables."""

from __future__ import annotations

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
    """Lets the browser translate every text of the page's components that is in the table."""
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
    """A text of the page, or the template of an error; one that is in no table stays as it is."""
    return _german().get(text) or _errors().get(text, text)


def sentence(message: str) -> str:
    """What an error says, with a capital letter and a full stop."""
    return message[:1].upper() + message[1:] + "."


def _as_it_is(text: str) -> str:
    return text


@cache
def _errors() -> dict[str, str]:
    return tomllib.loads((Path(__file__).parent / "german_errors.toml").read_text("utf-8"))


@cache
def _german() -> dict[str, str]:
    return tomllib.loads((Path(__file__).parent / "german.toml").read_text("utf-8"))

"""The page speaks English and German."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from grok_app.web import words
from tests.app_process import ROOT

WEB = ROOT / "grok_app" / "web"
GERMAN = tomllib.loads((WEB / "german.toml").read_text("utf-8"))
WITH_VALUE = {"button", "markdown"}
UNSEEN = {"api", "state", "browserstate", "html", "tabs", "row", "column", "form", "dataset"}
NOT_TRANSLATED = re.compile(r"\W*|[‹›]|nano · .*|# Grok-1 in the browser", re.DOTALL)


@pytest.fixture(scope="module")
def components(app_url: str) -> list[dict[str, Any]]:
    """What the browser is told of the page's components."""
    config = httpx.get(f"{app_url}/config", timeout=60).json()
    assert config["i18n_translations"]["de"] == GERMAN
    return config["components"]


def readable(components: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(where it stands, text) of all that is for reading."""
    for component in components:
        kind, props = component["type"], component["props"]
        names = ["label", "info", "value"] if kind in WITH_VALUE else ["label", "info"]
        if kind != "chatbot":  # whose placeholder is the persona's own welcome
            names.append("placeholder")
        for name in names if kind not in UNSEEN else []:
            if text := props.get(name):
                yield f"{kind} {props.get('elem_id')} {name}", text


def test_every_text_of_the_page_has_a_translation(components: list[dict[str, Any]]) -> None:
    found = 0
    for where, text in readable(components):
        if text.startswith("__i18n__"):
            assert json.loads(text.removeprefix("__i18n__"))["key"] in GERMAN
            found += 1
        else:
            assert NOT_TRANSLATED.fullmatch(text), f"{where}: {text!r} is not in german.toml"
    assert found > 30


def test_the_table_says_only_what_the_code_says() -> None:
    literals = {
        node.value
        for path in WEB.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not set(GERMAN) - literals


def test_translations_keep_what_is_filled_in() -> None:
    for english, german in GERMAN.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", german))


@pytest.mark.parametrize(
    ("asked", "text"),
    [("de-DE,de;q=0.9,en;q=0.8", "Weiter"), ("en,de;q=0.5", "Continue"), ("", "Continue")],
)
def test_the_server_answers_in_the_language_asked_for_first(asked: str, text: str) -> None:
    class Asking:
        headers = {"accept-language": asked}  # noqa: RUF012

    assert words.language_of(Asking())("Continue") == text  # type: ignore[arg-type]


@pytest.mark.parametrize("script", sorted(WEB.glob("*.js")), ids=lambda path: path.name)
def test_scripts_have_the_same_words_in_both_languages(script: Path) -> None:
    text = script.read_text("utf-8")
    if "const WORDS" not in text:
        return
    english, german = (
        set(re.findall(r"[{\"`],?\s+(\w+): ", "{" + part))
        for part in re.split(r"\n  de: {", text.split("const WORDS")[1].split("\n};")[0])
    )
    assert english - {"en"} == german

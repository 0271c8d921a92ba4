"""The page speaks English and German."""

import ast
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from grok_app.chat import Conversation
from grok_app.errors import ConversationError
from grok_app.web import words
from tests.app_process import ROOT

WEB = ROOT / "grok_app" / "web"
GERMAN = tomllib.loads((WEB / "german.toml").read_text("utf-8"))
ERRORS = tomllib.loads((WEB / "german_errors.toml").read_text("utf-8"))
TOLD = {"RequestError", "PersonaError", "ConversationError", "EngineBusy"}
ENGLISH_ONLY = {  # told to whoever runs the page, to a program, or of a file made by hand
    "7 cannot be continued; expected JSON with a whole number `run`, a string `text` and a list "
    "`ids`",
    "there is no persona 7; there are 7",
    'history is not a list of {"role": "user" or "assistant", "content": text}',
    "7 has no persona that could be read; expected TOML files",
    "7: cannot be read as TOML: 7",
    "7: there is a persona 7 already",
    "7: 7",
}
WITH_VALUE = {"button", "markdown"}
UNSEEN = {"api", "state", "browserstate", "html", "tabs", "row", "column", "form", "dataset"}
NOT_TRANSLATED = re.compile(r"\W*|[‹›]|# Grok-1 in the browser")


@pytest.fixture(scope="module")
def config(app_url: str) -> dict[str, Any]:
    """What the browser is told of the page."""
    return httpx.get(f"{app_url}/config", timeout=60).json()


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


def test_every_text_of_the_page_has_a_translation(config: dict[str, Any]) -> None:
    german = config["i18n_translations"]["de"]
    assert german.items() >= GERMAN.items()
    found = 0
    for where, text in readable(config["components"]):
        if text.startswith("__i18n__"):
            assert json.loads(text.removeprefix("__i18n__"))["key"] in german
            found += 1
        else:
            assert NOT_TRANSLATED.fullmatch(text), f"{where}: {text!r} is not in german.toml"
    assert found > 30


def literals(files: Iterable[Path]) -> set[str]:
    """The strings that stand in the code."""
    return {
        node.value
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_the_table_says_only_what_the_code_says() -> None:
    assert not set(GERMAN) - literals(WEB.glob("*.py"))


def test_translations_keep_what_is_filled_in() -> None:
    for english, german in GERMAN.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", german))


def messages(path: Path) -> Iterator[str]:
    """All that a file raises for a visitor to read."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            kind = ast.unparse(node.func)
            message = node.args[-1 if kind == "_check" else 0]  # it raises its last argument
            if kind in TOLD | {"_check"} and isinstance(message, (ast.Constant, ast.JoinedStr)):
                yield filled(message)


def filled(text: ast.Constant | ast.JoinedStr) -> str:
    """A text of the code, with 7 for whatever is filled in."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in parts)


def filled_in(files: Iterable[Path]) -> set[str]:
    """All texts of the code in which something is filled in."""
    trees = [ast.parse(path.read_text("utf-8")) for path in files]
    return {
        filled(node) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
    }


def test_whatever_a_visitor_may_be_told_is_told_in_german() -> None:
    files = [*WEB.glob("*.py"), *(ROOT / "grok_app" / "chat").glob("*.py")]
    asked = ("request.py", "scheduler.py", "tokenizer.py")  # engine.py's are a program's
    files += [ROOT / "grok_app" / "engine" / name for name in asked]
    told = [text for path in files for text in messages(path)]
    assert len(told) > 40
    in_english = {text for text in told if words.to_german(text) == text}
    assert in_english == ENGLISH_ONLY


def test_every_german_message_is_of_one_that_is_raised() -> None:
    files = [*(ROOT / "grok_app").rglob("*.py")]
    plain, composed = literals(files), filled_in(files)
    for english in ERRORS:
        pattern = re.sub(r"\\{\w+\\}", r"\\S+", re.escape(english))
        assert english in plain or any(re.fullmatch(pattern, text) for text in composed), english


def test_every_message_finds_its_own_german() -> None:
    for english, german in ERRORS.items():
        names = re.findall(r"{(\w+)}", english)
        message = english.format_map({name: f"<{name}>" for name in names})
        assert words.to_german(message) == german.format_map({name: f"<{name}>" for name in names})


def test_german_messages_keep_what_is_filled_in_and_a_key_first() -> None:
    for english, german in ERRORS.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", german))
        assert english.startswith("{key} ") == german.startswith("{key} ")


def test_a_message_within_a_message_is_german_too() -> None:
    message = "labels.user is ''; expected a name without colon or line break"
    told = words.to_german(f"{message}; mend it on the tab Personas, or choose another")
    assert told.startswith("labels.user ist ''; erwartet wird ein Name ohne Doppelpunkt")
    assert "Reiter" in told
    assert "hat 20.000 Zeichen" in words.to_german(
        "the persona has 20,000 characters; at most 16,384 fit"
    )


def test_what_is_wrong_with_a_conversation_is_told_in_german() -> None:
    for problem, german in (
        ({"nodes": 7}, "nodes ist keine Liste von Beiträgen"),
        ({"nodes": [{"role": "x"}]}, "Beitrag 1 ist von 'x'; erwartet wird user oder assistant"),
        ({"nodes": [{"role": "user", "text": 7}]}, "text von Beitrag 1 ist 7; erwartet wird ein"),
        ({"id": 3}, "id von dem Gespräch ist 3; erwartet wird ein Text"),
    ):
        with pytest.raises(ConversationError) as refused:
            Conversation.parse(problem)
        told = words.to_german(str(refused.value))
        assert told.startswith("das ist kein Gespräch, das sich öffnen lässt: ")
        assert german in told


def test_a_long_message_costs_no_more_than_its_length() -> None:
    text = "7 is ; expected  from  to " * 100_000
    assert len(words.to_german(text)) == pytest.approx(
        len(text), rel=0.01
    )  # hours, if it goes back


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

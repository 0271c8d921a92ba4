"""The page's tables of English and German; test_page.py looks at the page that is served."""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from grok_app.chat import Conversation
from grok_app.errors import ConversationError, PersonaError, RequestError
from grok_app.web.page import words
from tests.app_process import ROOT

WEB = ROOT / "grok_app" / "web"
GERMAN = tomllib.loads((WEB / "page" / "german.toml").read_text("utf-8"))
ERRORS = tomllib.loads((WEB / "page" / "german_errors.toml").read_text("utf-8"))
RAISED = {"RequestError", "ContextExceeded", "PersonaError", "ConversationError", "EngineBusy"}
ENGLISH_ONLY = {  # told to whoever runs the page, to a program, or of a file made by hand
    "{given!r} cannot be continued; expected JSON with texts `id` and `text` and a list `ids`",
    "there is no persona {slug!r}; there are {there_are}",
    'history is not a list of {{"role": "user" or "assistant", "content": text}}',
    "{folder} is not a folder; expected one with a TOML file a persona",
    "{folder} has no persona that could be read; expected TOML files",
    "{file}: cannot be read as TOML: {why}",
    "{file}: there is a persona {slug!r} already",
    "{file}: {problem}",
}


def literals(files: Iterable[Path]) -> set[str]:
    """The strings that stand in the code."""
    return {
        node.value
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_the_table_says_only_what_the_code_says() -> None:
    assert not set(GERMAN) - literals(WEB.rglob("*.py"))


def test_translations_keep_what_is_filled_in() -> None:
    for english, german in GERMAN.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", german))


def templates(path: Path) -> Iterator[str]:
    """The templates of all errors that a file raises for a visitor to read."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            kind = ast.unparse(node.func)
            if kind in RAISED | {"_check"}:
                first = node.args[1 if kind == "_check" else 0]
                yield from (
                    part.value
                    for part in ast.walk(first)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )


def test_every_error_has_a_constant_template() -> None:
    """What is filled in comes as a value: else no other language could be filled in too."""
    for path in (ROOT / "grok_app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in RAISED:
                assert not isinstance(node.args[0], ast.JoinedStr | ast.BinOp), ast.unparse(node)


def test_whatever_a_visitor_may_be_told_is_told_in_german() -> None:
    rooms = (WEB, ROOT / "grok_app" / "chat", ROOT / "grok_app" / "replies")
    files = [file for room in rooms for file in room.rglob("*.py")]
    files.append(ROOT / "grok_app" / "sampling.py")
    asked = ("request.py", "scheduler.py", "tokenizer.py")  # engine.py's are a program's
    files += [ROOT / "grok_app" / "engine" / name for name in asked]
    told = {text for path in files for text in templates(path)}
    assert len(told) > 40
    assert told - set(ERRORS) == ENGLISH_ONLY


def test_every_german_message_is_of_one_that_is_raised() -> None:
    assert not set(ERRORS) - literals((ROOT / "grok_app").rglob("*.py"))


def test_german_messages_keep_what_is_filled_in_and_a_field_first() -> None:
    for english, german in ERRORS.items():
        assert sorted(re.findall(r"{[^}]+}", english)) == sorted(re.findall(r"{[^}]+}", german))
        assert english.startswith("{field}") == german.startswith("{field}")


def test_a_message_within_a_message_is_german_too() -> None:
    problem = PersonaError(
        "{field} is {given!r}; expected a name without colon or line break",
        field="labels.user",
        given="{a}: 20,000",  # as a visitor writes it
    )
    error = RequestError(
        "{problem}; correct it on the tab Personas, or choose another", problem=problem
    )
    told = error.message(words.to_german)
    assert told.startswith("labels.user ist '{a}: 20,000'; erwartet wird ein Name ohne Doppelpunkt")
    assert "Reiter" in told
    size = PersonaError(
        "the persona has {size:,} characters; at most {most:,} fit", size=20_000, most=16_384
    )
    assert str(size) == "the persona has 20,000 characters; at most 16,384 fit"
    assert "hat 20.000 Zeichen; höchstens 16.384" in size.message(words.to_german)


def test_what_is_wrong_with_a_conversation_is_told_in_german() -> None:
    for problem, german in (
        ({"nodes": 7}, "nodes ist keine Liste von Beiträgen"),
        ({"nodes": [{"role": "x"}]}, "Beitrag 1 ist von 'x'; erwartet wird user oder assistant"),
        ({"nodes": [{"role": "user", "text": 7}]}, "text von Beitrag 1 ist 7; erwartet wird ein"),
        ({"id": 3}, "id des Gesprächs ist 3; erwartet wird ein Text"),
    ):
        with pytest.raises(ConversationError) as refused:
            Conversation.parse(problem)
        told = refused.value.message(words.to_german)
        assert told.startswith("das ist kein Gespräch, das sich öffnen lässt: ")
        assert german in told


@pytest.mark.parametrize(
    ("asked", "text"),
    [("de-DE,de;q=0.9,en;q=0.8", "Weiter"), ("en,de;q=0.5", "Continue"), ("", "Continue")],
)
def test_the_server_answers_in_the_language_asked_for_first(asked: str, text: str) -> None:
    class Asking:
        headers = {"accept-language": asked}  # noqa: RUF012

    assert words.language_of(Asking())("Continue") == text  # type: ignore[arg-type]

"""Persona files: the shipped ones, and what is said of a malformed one."""

import logging
from pathlib import Path

import pytest

from grok_app.chat.persona import load_persona, load_personas
from grok_app.errors import PersonaError
from tests.app_process import ROOT

GOOD = 'name = "A"\ndescription = "b"\n'


def test_the_shipped_personas() -> None:
    personas = load_personas(ROOT / "prompts")
    slugs = [persona.slug for persona in personas]
    assert slugs == ["grok", "assistant", "storyteller", "tutor", "cynic", "raw"]
    for persona in personas:
        assert persona.suggestions
        assert (persona.labels is None) == (persona.slug == "raw")
        assert persona.labels is None or (persona.preamble and len(persona.examples) >= 2)


def test_the_shortest_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    persona = load_persona(tmp_path / "mine.toml")
    assert (persona.slug, persona.name) == ("mine", "A")
    assert persona.stops == ("\nUser:", "\nAssistant:")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name = ", "cannot be read as TOML"),
        ('description = "b"', "name is missing or empty"),
        ('name = "A"', "description is missing"),
        (GOOD + 'mood = "x"', "mood is unknown; expected description, examples"),
        (GOOD + "preamble = 3", "preamble is 3; expected a text"),
        (GOOD + 'stop = "x"', "stop is 'x'; expected a list"),
        (GOOD + 'stop = [""]', "stop is ['']; expected a list of texts, none empty"),
        (
            GOOD + "[sampling]\ntemperature = 101.0",
            "sampling.temperature is 101.0; expected a number",
        ),
        (GOOD + "[sampling]\ntop_k = 1.5", "sampling.top_k is 1.5; expected a whole number"),
        (GOOD + "[sampling]\nmax_tokens = true", "sampling.max_tokens is True"),
        (GOOD + "[sampling]\nbeams = 3", "sampling.beams is unknown"),
        (GOOD + '[labels]\nuser = ""', "labels.user is ''"),
        (GOOD + '[labels]\nuser = "A:"', "labels.user is 'A:'"),
        (GOOD + f'[labels]\nuser = "{"x" * 81}"', "labels.user has 81 characters; expected at mo"),
        (GOOD + '[labels]\nuser = "Bot"\nassistant = "bot"', "expected two names"),
        (GOOD + '[[examples]]\nuser = "x"', "examples[1].assistant is missing"),
        (GOOD + '[[examples]]\nuser = " "\nassistant = "y"', "examples[1].user is empty"),
        (GOOD + 'examples = ["x"]', "examples is no list of tables"),
        (GOOD + 'raw = "yes"', "raw is 'yes'; expected true or false"),
        (GOOD + 'raw = true\n[labels]\nuser = "A"', "labels with raw = true"),
    ],
)
def test_a_malformed_file_is_named_with_what_is_wrong(tmp_path: Path, content, words) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(PersonaError) as caught:
        load_persona(path)
    assert str(caught.value).startswith("mine.toml: ")
    assert words in str(caught.value)


def test_invalid_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(PersonaError, match=r"mine\.toml"):
        load_persona(tmp_path / "mine.toml")


def test_a_bad_file_is_logged_and_the_rest_load(tmp_path: Path, caplog) -> None:
    (tmp_path / "1-good.toml").write_text(GOOD)
    (tmp_path / "2-bad.toml").write_text("name = 3")
    (tmp_path / "notes.txt").write_text("not a persona")
    with caplog.at_level(logging.WARNING):
        assert [persona.slug for persona in load_personas(tmp_path)] == ["good"]
    assert "2-bad.toml" in caplog.text


def test_two_of_one_name_are_told_apart_in_the_log(tmp_path: Path, caplog) -> None:
    for name in ("good.toml", "2-good.toml"):
        (tmp_path / name).write_text(GOOD)
    with caplog.at_level(logging.WARNING):
        assert len(load_personas(tmp_path)) == 1
    assert "good.toml: there is a persona 'good' already" in caplog.text


@pytest.mark.parametrize("made", [True, False])
def test_no_persona_at_all(tmp_path: Path, made: bool) -> None:
    folder = tmp_path if made else tmp_path / "nowhere"
    with pytest.raises(PersonaError, match=str(folder)):
        load_personas(folder)

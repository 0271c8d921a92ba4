"""Personas of one's own come from the browser: they are looked at each time, and bounded."""

import json
from typing import Any

import pytest

from grok_app.chat import Persona, load_personas, read_persona, write_persona
from grok_app.errors import PersonaError, RequestError
from grok_app.web.page.personas.fields import place_of, table_of, values_of
from grok_app.web.page.personas.personas import (
    MOST,
    Personas,
    changed,
    new_slug,
    read_own,
    texts_of,
    write_own,
)
from tests.app_process import ROOT

SHIPPED = load_personas(ROOT / "prompts")
PERSONAS = Personas(SHIPPED)
MINE = "own-0123abcd"
GOOD = 'name = "Me"\nicon = "X"\ndescription = "b"\n'


def test_both_kinds_are_found_and_offered() -> None:
    own = json.dumps({MINE: GOOD})
    assert PERSONAS.find("grok") is SHIPPED[0]
    assert PERSONAS.find(MINE, own) == read_persona(MINE, GOOD)
    assert PERSONAS.choices(own) == [*PERSONAS.choices(), ("X Me", MINE)]


def test_the_shipped_ones_cannot_be_replaced() -> None:
    with pytest.raises(PersonaError, match="cannot be read"):
        texts_of(json.dumps({"grok": GOOD}))


@pytest.mark.parametrize(
    ("slug", "own", "words"),
    [
        ("nobody", "", "there is no persona 'nobody' in this browser; choose another, or import"),
        (MINE, "{}", "there is no persona 'own-0123abcd'"),
        (MINE, json.dumps({MINE: "name = 3"}), "name is 3; expected a text; correct it"),
        (MINE, "{", "cannot be read, and is left as it is"),
    ],
)
def test_what_cannot_be_found_is_said(slug: str, own: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        PERSONAS.find(slug, own)


@pytest.mark.parametrize(
    "own",
    [
        "[]",
        "3",
        "[" * 100_000,
        '{"own-0123abcd": 3}',
        '{"../../etc": "x"}',
        json.dumps({MINE: "x" * 5_000_000}),
    ],
    ids=["list", "number", "deep", "no text", "slug", "large"],
)
def test_a_store_of_another_kind_is_left_alone(own: str) -> None:
    with pytest.raises(PersonaError, match="cannot be read"):
        texts_of(own)
    assert PERSONAS.choices(own) == PERSONAS.choices()


def test_one_that_cannot_be_read_is_still_offered_to_be_mended() -> None:
    assert PERSONAS.choices(json.dumps({MINE: "name = 3"}))[-1] == (f"\u26a0 {MINE}", MINE)


def test_there_is_room_for_so_many() -> None:
    texts = {f"own-{number:08x}": GOOD for number in range(MOST)}
    full = changed("", dict(texts))
    assert texts_of(full) == texts
    with pytest.raises(PersonaError, match="delete one first"):
        changed(full, {new_slug(): GOOD})


def test_taking_back_may_bring_more_which_can_be_changed_and_deleted_but_not_added_to() -> None:
    texts = {f"own-{number:08x}": GOOD for number in range(MOST + 1)}
    own, slug = json.dumps(texts), "own-00000000"
    assert texts_of(json.dumps(dict.fromkeys(texts, GOOD + '"' * 19_900)))
    assert texts_of(changed(own, {slug: "x"})) == texts | {slug: "x"}
    assert len(texts_of(changed(own, {slug: None}))) == MOST
    with pytest.raises(PersonaError, match="delete one first"):
        changed(own, {new_slug(): GOOD})
    with pytest.raises(PersonaError, match="delete one first"):
        changed(own, {slug: None, new_slug(): GOOD, MINE: GOOD})


def test_what_changes_is_changed_and_the_rest_stays() -> None:
    other, third = new_slug(), new_slug()
    own = json.dumps({MINE: GOOD, other: GOOD})
    after = changed(own, {MINE: None, third: "x", new_slug(): None})
    assert texts_of(after) == {other: GOOD, third: "x"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            GOOD + f'preamble = "{"x" * 20_000}"',
            "the persona has 20,0.. characters; at most 20,000",
        ),
        (GOOD.replace("Me", "x" * 81), "name has 81 characters; expected at most 80"),
        (GOOD + f"stop = {['x'] * 17}", "stop has 17 entries; expected at most 16"),
        (GOOD + '[[examples]]\nuser = "a"\nassistant = "b"\n' * 7, "examples has 7 entries"),
    ],
)
def test_a_persona_is_bounded(text: str, words: str) -> None:
    with pytest.raises(PersonaError, match=words):
        read_own(MINE, text)


@pytest.mark.parametrize("persona", SHIPPED, ids=lambda persona: persona.slug)
def test_the_form_changes_nothing(persona: Persona) -> None:
    text = write_own(persona.slug, table_of(values_of(persona)))
    assert text == write_persona(persona)


def test_texts_of_several_lines_stand_on_one() -> None:
    values = {"name": "A", "description": "b", "stop": ["\n\n", "\\n", "a\\\nb", "\\"]}
    persona = read_persona(MINE, write_own(MINE, values))
    assert table_of(values_of(persona))["stop"] == values["stop"]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"name": " "}, "name"),
        ({"description": ""}, "description"),
        ({"icon": "x" * 17}, "icon"),
        ({"labels.user": "A:"}, "labels.user"),
        ({"labels.user": "x" * 81}, "labels.user"),
        ({"labels.user": "Grok"}, "labels.assistant"),
        ({"examples[2].user": ""}, "examples[2].user"),
        (  # empty examples do not count: this is the second
            {"examples[1].user": "", "examples[1].assistant": "", "examples[3].assistant": ""},
            "examples[3].assistant",
        ),
        ({"sampling.temperature": 101}, "sampling.temperature"),
        ({"sampling.top_k": -1}, "sampling.top_k"),
        ({"stop": "x\n" * 17}, "stop"),
        ({"preamble": "\ud800"}, None),
        ({"preamble": "x" * 30_000}, None),
    ],
)
def test_what_is_wrong_is_said_at_its_field(changes: dict[str, Any], key) -> None:
    values = values_of(SHIPPED[0]) | changes
    with pytest.raises(PersonaError) as caught:
        write_own(MINE, table_of(values))
    assert place_of(caught.value, values, str)[0] == key


def test_what_is_left_empty_is_the_default() -> None:
    values = values_of(SHIPPED[0]) | {"sampling.temperature": None, "icon": None}
    persona = read_own(MINE, write_own(MINE, table_of(values)))
    assert persona.sampling.temperature == 0.8
    assert persona.icon == Persona.icon

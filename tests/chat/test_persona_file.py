"""A persona that is written is read as the same persona."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok_app.chat import Persona, load_personas, read_persona, write_persona
from grok_app.chat.persona import parse_persona
from grok_app.errors import PersonaError
from tests.app_process import ROOT

SHIPPED = load_personas(ROOT / "prompts")
WORDS = st.lists(
    st.sampled_from(['"', '"""', "\\", "\n", "\r\n", "\r", "\t", "\x00", "\x7f", "'''", "#", "[a]"])
    | st.text(max_size=5),
    max_size=8,
).map("".join)
SAID = WORDS.map(lambda text: f"a{text}")
NAME = st.text(st.characters(exclude_characters=":\n\r", exclude_categories=["Cs"]), max_size=9)
LABEL = NAME.map(str.strip).filter(bool)
SAMPLING = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 5) | st.integers(0, 5),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(0, 1_000_000),
        "min_p": st.floats(0, 1),
        "repetition_penalty": st.floats(0.5, 2),
        "max_tokens": st.integers(1, 8192),
    },
)
COMMON = {"name": SAID, "description": SAID}
OPTIONAL = {
    "icon": WORDS,
    "preamble": WORDS,
    "stop": st.lists(SAID, max_size=3),
    "suggestions": st.lists(SAID, max_size=3),
    "sampling": SAMPLING,
}
EXAMPLES = st.lists(st.fixed_dictionaries({"user": SAID, "assistant": SAID}), max_size=3)
LABELS = st.tuples(LABEL, LABEL).filter(lambda two: two[0].casefold() != two[1].casefold())
TALKING = st.fixed_dictionaries(
    COMMON,
    optional=OPTIONAL
    | {
        "examples": EXAMPLES,
        "labels": LABELS.map(lambda two: {"user": two[0], "assistant": two[1]}),
    },
)
RAW = st.fixed_dictionaries(COMMON | {"raw": st.just(True)}, optional=OPTIONAL)
PERSONAS = (TALKING | RAW).map(lambda values: parse_persona("mine", values))


@given(PERSONAS)
def test_what_is_written_is_read_as_the_same(persona: Persona) -> None:
    assert read_persona("mine", write_persona(persona)) == persona


@pytest.mark.parametrize("persona", SHIPPED, ids=lambda persona: persona.slug)
def test_the_shipped_ones_too(persona: Persona) -> None:
    text = write_persona(persona)
    assert read_persona(persona.slug, text) == persona
    assert not text.startswith("\n")


def test_a_preamble_of_lines_is_written_line_by_line() -> None:
    values = {"name": "A", "description": "b", "preamble": 'One "line".\nAnother.'}
    assert 'One \\"line\\".\nAnother.' in write_persona(parse_persona("mine", values))


@pytest.mark.parametrize(
    "text",
    [
        "name = ",
        'name = "\ud800"\ndescription = "b"',
        "name = " + "[" * 20_000,
        "name = " + "9" * 5000,
        "name = " + "[" * 900 + "]" * 900,
    ],
    ids=["cut", "surrogate", "deep", "long number", "nested"],
)
def test_hostile_texts_are_named_as_bad(text: str) -> None:
    with pytest.raises(PersonaError):
        read_persona("mine", text)

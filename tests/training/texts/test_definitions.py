"""A cynic's definitions of our own."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from random import Random

import pytest

from training.texts.corpus import is_rude
from training.texts.definitions import LINES, ask_definition, definitions, named


def test_every_definition_is_one_and_does_not_use_its_word() -> None:
    of_words = [(word, text) for word, texts in LINES["words"].items() for text in texts]
    of_kinds = [("", text) for kind in LINES["kinds"].values() for text in kind["definitions"]]
    for word, text in of_words + of_kinds:
        assert text.isascii()
        assert text[0].isupper()
        assert text[-1] in ".!?"
        assert len(text) <= 140
        assert not is_rude(text)
        assert not word or not re.search(rf"\b{word}\b", text.lower()), text
    assert max(Counter(text for _, text in of_words + of_kinds).values()) == 1


def test_a_word_has_its_own_definitions_or_those_of_its_kind() -> None:
    made = {re.sub("^.*? (?:is|are) ", "", answer)[1:] for _, answer in definitions(Random(0))}
    made |= {answer[1:] for _, answer in definitions(Random(0))}
    assert {text[1:] for texts in LINES["words"].values() for text in texts} <= made
    own = set(LINES["words"])
    for kind in LINES["kinds"].values():
        assert not own & set(kind["words"])
        own |= set(kind["words"])


def test_a_question_has_the_article_that_the_word_needs() -> None:
    asked = {ask_definition("owl", Random(seed)) for seed in range(100)}
    assert "What is an owl?" in asked
    assert "What is love?" in {ask_definition("love", Random(seed)) for seed in range(100)}
    assert "What is the internet?" in {
        ask_definition("internet", Random(seed)) for seed in range(100)
    }
    plural = {ask_definition("children", Random(seed)) for seed in range(100)}
    assert "What are children?" in plural
    assert "Define children." in plural


@pytest.mark.parametrize(
    ("word", "definition", "sentence"),
    [
        ("owl", "A bird that stays up late.", "An owl is a bird that stays up late."),
        ("love", "What poets sell.", "Love is what poets sell."),
        ("internet", "The end of quiet.", "The internet is the end of quiet."),
        ("parents", "Two people who know.", "Parents are two people who know."),
    ],
)
def test_a_definition_mostly_names_its_word(word: str, definition: str, sentence: str) -> None:
    said = Counter(named(word, definition, Random(seed)) for seed in range(300))
    assert said.keys() == {definition, sentence}
    assert 150 < said[sentence] < 270


def test_what_is_no_noun_phrase_stands_as_it_is() -> None:
    assert {named("to run", "Fleeing from age.", Random(seed)) for seed in range(50)} == {
        "Fleeing from age."
    }


def test_no_word_is_defined_twice_in_nearly_the_same_words() -> None:
    for word, texts in LINES["words"].items():
        for one, other in combinations([set(text.lower().split()) for text in texts], 2):
            assert len(one & other) <= 0.7 * min(len(one), len(other)), word

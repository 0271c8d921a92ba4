"""Long texts that somebody puts into a talk."""

from __future__ import annotations

from random import Random

from tests.training.fit import assert_fit
from training.texts.pasted import CHARACTERS, LINES, pasted

PAGES = ["\n\n".join(f"Then the {n} wolves ran on over the snow." for n in range(200))] * 3
TALKS = [[f"I have {n} cats.", f"Do you feed all {n} of them?"] * 20 for n in range(2, 9)]
LONGEST = CHARACTERS[1] + max(map(len, LINES["asks"])) + 2


def long_ones(pages: list[str]) -> list[tuple[str, str, str]]:
    """(kind, text, reply) of what was put in."""
    replies = {reply for lines in LINES["replies"].values() for reply in lines}
    made = [
        (kind, said, reply)
        for kind, turns in pasted(pages, TALKS, Random(0))
        for said, reply in zip(turns[::2], turns[1::2], strict=True)
        if reply in replies
    ]
    assert len(made) == len(list(pasted(pages, TALKS, Random(0))))
    return made


def test_a_long_text_gets_a_reply_of_the_kind_that_was_asked() -> None:
    for kind, text, reply in long_ones(PAGES):
        assert reply in LINES["replies"][kind]
        assert CHARACTERS[0] // 2 < len(text) <= LONGEST


def test_they_are_of_books_and_of_other_peoples_talks() -> None:
    made = [text for _, text, _ in long_ones(PAGES)]
    of_books = [text for text in made if "wolves" in text]
    of_talks = [text for text in made if "cats" in text]
    assert len(of_books) + len(of_talks) == len(made)
    assert len(of_books) > len(of_talks) > len(made) // 4
    assert {"\n\n" in text[40:-40] for text in of_books} == {True, False}
    assert all(text.count(": ") > 4 for text in of_talks)  # their own labels
    assert any(text.startswith(tuple(LINES["asks"])) for text in made)
    assert any(text.endswith(tuple(LINES["asks"])) for text in made)


def test_a_corpus_may_have_no_books() -> None:
    assert all("cats" in text for _, text, _ in long_ones([]))


def test_every_line_is_fit_to_be_a_reply() -> None:
    for kind, lines in LINES["replies"].items():
        for text in lines:
            assert_fit(text)
            assert text.endswith("?") or kind != "tutor"

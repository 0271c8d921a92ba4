"""Reading and cleaning: who is held out, what is left out, what is said of a bad file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from training.texts.corpus import (
    DIALOGUES,
    MORE_DIALOGUES,
    MORE_HELD_OUT,
    PROSE,
    CorpusError,
    clean_prose,
    clean_turns,
    is_rude,
    plain,
    read_dialogues,
    read_more_dialogues,
    read_prose,
)


def write(path: Path, lines: list[Any]) -> None:
    path.write_bytes(gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))


def talk(number: int) -> dict[str, Any]:
    return {"source": "made-up", "turns": [f"Hello, I am number {number}.", "Are you?\nReally?"]}


def test_about_one_line_in_fifty_is_held_out_wherever_it_stands(tmp_path: Path) -> None:
    lines = [talk(number) for number in range(2000)]
    write(tmp_path / DIALOGUES, lines)
    held = {talk.turns for talk in read_dialogues(tmp_path) if talk.held_out}
    assert 20 <= len(held) <= 60
    write(tmp_path / DIALOGUES, lines[::-1])
    assert {talk.turns for talk in read_dialogues(tmp_path) if talk.held_out} == held


def test_a_turn_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / DIALOGUES, [talk(1)])
    (only,) = read_dialogues(tmp_path)
    assert only.turns == ("Hello, I am number 1.", "Are you? Really?")


def test_of_a_second_file_the_held_out_lines_have_a_file_of_their_own(tmp_path: Path) -> None:
    assert list(read_more_dialogues(tmp_path)) == []
    write(tmp_path / MORE_DIALOGUES, [talk(number) for number in range(200)])
    assert not any(talk.held_out for talk in read_more_dialogues(tmp_path))
    write(tmp_path / MORE_HELD_OUT, [talk(number) for number in range(200, 205)])
    held = [talk.turns[0] for talk in read_more_dialogues(tmp_path) if talk.held_out]
    assert held == [f"Hello, I am number {number}." for number in range(200, 205)]


def test_who_names_a_crisis_line_is_left_out() -> None:
    turns = ("I am sad.", "Call a crisis line.", "It rains.", "So it does.")
    assert clean_turns(turns) == [["It rains.", "So it does."]]


def test_a_corpus_may_have_no_prose(tmp_path: Path) -> None:
    assert list(read_prose(tmp_path)) == []
    write(tmp_path / PROSE, [{"source": "books", "title": "One", "text": "It rained."}])
    (book,) = read_prose(tmp_path)
    assert (book.title, book.text) == ("One", "It rained.")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (gzip.compress(b'{"source": "x", "turns": "Hi"}\n'), '"turns" must be a list'),
        (gzip.compress(b'{"turns": ["Hi", "Ho"]}\n'), '"source" must be a text'),
        (gzip.compress(b"[]\n"), "expected a JSON object"),
        (gzip.compress(b"\xff{\n"), "line 1: not JSON"),
        (gzip.compress(b'{"source": "x", "turns": []}\n')[:-9], "no complete gzip file"),
        (b"plain text", "no complete gzip file"),
    ],
    ids=["turns", "source", "object", "json", "truncated", "text"],
)
def test_a_bad_file_is_named_with_what_is_wrong(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    (tmp_path / DIALOGUES).write_bytes(content)
    with pytest.raises(CorpusError, match=complaint) as error:
        list(read_dialogues(tmp_path))
    assert DIALOGUES in str(error.value)


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nowhere"):
        list(read_dialogues(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("turns", "parts"),
    [
        (
            ("Hi.", "Hello.", "See https://example.org !", "No.", "Why?", "Because.", "Oh."),
            [["Hi.", "Hello."], ["Why?", "Because.", "Oh."]],
        ),
        (
            ("Hi.", "What the hell, you asshole.", "Sorry?", "Never mind."),
            [["Sorry?", "Never mind."]],
        ),
        (("Hi.", "[city]"), []),
    ],
)
def test_a_conversation_is_cut_at_what_is_unfit_and_the_speakers_keep_their_places(
    turns: tuple[str, ...], parts: list[list[str]]
) -> None:
    assert clean_turns(turns) == parts


def test_turns_are_cleaned_but_not_rewritten() -> None:
    turns = ("* “so”, what\xa0about   you ?\\", "[User 1's name], i dont know… I'd say no.Yes?")
    assert clean_turns(turns) == [
        ['"so", what about you?', "[User 1's name], i dont know... I'd say no. Yes?"]
    ]


def test_rude_words_are_found_whole() -> None:
    assert is_rude("What a load of SHIT.")
    assert is_rude("they were pissed")
    assert not is_rude("Dick and the cockerel passed the class in Scunthorpe, a spicy assessment.")


def test_books_lose_what_is_no_prose() -> None:
    book = "\n\n".join(
        [
            "Title: A Book\n\nAuthor: Nobody\n\n-------",
            "CHAPTER II - In which it rains",
            "It rained, and _how_ it rained!\ufeff",
            "* * *",
            "a | b\n---|---\n1 | 2",
            "XII",
            "> “Stay,” she said—“or go.”",
        ]
    )
    assert clean_prose(book) == 'It rained, and how it rained!\n\n"Stay," she said--"or go."'


def test_plain_text_keeps_other_alphabets_and_line_ends() -> None:
    assert plain("naïve\x00 — Привет’\n\t漢字") == "naïve -- Привет'\n 漢字"

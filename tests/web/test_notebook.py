"""The notebook's side of the server: a text going on, and what is told of its tokens."""

import json
import math
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import grok_app
from grok_app.engine.generation import Piece
from grok_app.engine.tokenizer import Tokenizer
from grok_app.errors import RequestError
from grok_app.web.continuation import Asked, Continuation, Continuations, Spelling
from tests.app_process import ROOT

NIGHT = "It was a dark night, and the captain"
BIRD = "🦜"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(Path(ROOT / "assets" / "nano" / "tokenizer.model"))


@pytest.fixture(scope="module")
def notebook(nano: grok_app.Engine) -> Continuations:
    return Continuations(nano)


def told(engine: grok_app.Engine, text: str, ids=(), **settings) -> list[dict[str, Any]]:
    made = Continuation(engine, Asked(1, text, tuple(ids)), seed=7, **settings)
    return [news for batch in made for news in batch]


def tokens(news: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in news if "top" in item]


def piece(token: int, *alternatives: int) -> Piece:
    return Piece("", token, -1.0, tuple((other, -2.0) for other in alternatives), None)


def idle(engine: grok_app.Engine) -> bool:
    """Whether the engine soon has nothing to do."""
    deadline = time.monotonic() + 5
    while engine.stats().running and time.monotonic() < deadline:
        time.sleep(0.01)
    return not engine.stats().running


def test_each_token_has_its_text_its_probability_and_the_five_likeliest(nano) -> None:
    news = told(nano, NIGHT, max_tokens=20, temperature=0.0)
    pieces = list(nano.generate(NIGHT, max_tokens=20, temperature=0.0, logprobs=5))
    assert news[-1] == {"ended": "length"}
    assert [token["id"] for token in tokens(news)] == [made.token_id for made in pieces]
    assert "".join(token["text"] for token in tokens(news)) == "".join(m.text for m in pieces)
    for token, made in zip(tokens(news), pieces, strict=True):
        assert token["p"] == pytest.approx(math.exp(made.logprob), rel=1e-3)
        assert len(token["top"]) == 5
        assert token["top"][0][0] == token["id"]  # at temperature 0
        assert [p for *_, p in token["top"]] == sorted((p for *_, p in token["top"]), reverse=True)


def test_what_is_continued_goes_on_as_if_never_stopped(nano) -> None:
    whole = tokens(told(nano, NIGHT, max_tokens=24, temperature=0.0))
    first = [token["id"] for token in whole[:10]]
    rest = tokens(told(nano, NIGHT, first, max_tokens=14, temperature=0.0))
    assert [token["id"] for token in rest] == [token["id"] for token in whole[10:]]


def test_half_a_character_waits_for_the_other_half(tokenizer) -> None:
    parts = tokenizer.encode(BIRD)
    assert len(parts) == 4  # one a byte
    spelling = Spelling(tokenizer, parts[:1])
    second = spelling.token(piece(parts[1], parts[1], tokenizer.encode("a")[0]))
    assert second["text"] == ""
    assert second["top"][0][1:3] == ["", tokenizer.name_of(parts[1])]
    assert second["top"][1][1] == "\ufffda"  # what it would be after half a character
    assert spelling.token(piece(parts[2]))["text"] == ""
    assert spelling.token(piece(parts[3], parts[3]))["text"] == BIRD


def test_alternatives_leave_no_trace(tokenizer) -> None:
    parts = tokenizer.encode(BIRD)
    spelling = Spelling(tokenizer, ())
    (plain,) = tokenizer.encode(" the")
    assert spelling.token(piece(plain, *parts))["text"] == " the"
    assert spelling.token(piece(plain))["text"] == " the"


def test_a_control_token_is_no_text(tokenizer) -> None:
    (end,) = (token for token in range(10) if tokenizer.name_of(token) == "</s>")
    (choice,) = Spelling(tokenizer, ()).token(piece(end, end))["top"]
    assert choice[1:3] == [None, "</s>"]


def test_a_half_character_can_be_continued(nano) -> None:
    (first, *_) = nano.encode(BIRD)
    news = told(nano, "A bird: ", [first], max_tokens=8, temperature=0.0)
    assert news[-1]["ended"] in ("length", "stop")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("", "cannot be continued"),
        ("[]", "cannot be continued"),
        ("[" * 100_000, "cannot be continued"),
        ('{"run": 1, "text": 5, "ids": []}', "a string `text`"),
        ('{"run": 1, "text": "x"}', "a list `ids`"),
    ],
)
def test_what_no_page_asks_is_refused(asked: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        Asked.from_json(asked)


@pytest.mark.parametrize(
    ("text", "ids", "words"),
    [
        ("", [], "write how it begins"),
        ("word " * 3000, [], "context is 1024"),
        (NIGHT, [-1], "-1 is no token id"),
        (NIGHT, ["1"], "'1' is no token id"),
        (NIGHT, [10**9], "is no token id"),
    ],
)
def test_what_cannot_be_continued_is_said_so(nano, text, ids, words) -> None:
    with pytest.raises(RequestError, match=words):
        told(nano, text, ids, max_tokens=5)


def anybody() -> None:
    """No limits: everybody may go on."""


def answers(notebook: Continuations, text: str, longest: int = 30, seed: str = "3"):
    asked = json.dumps({"run": 4, "text": text, "ids": []})
    return notebook.answer(
        "a visit", asked, anybody, str, seed, max_tokens=longest, temperature=0.8
    )


def lines(answer: str) -> list[dict[str, Any]]:
    assert answer.endswith("\n")
    return [json.loads(line) for line in answer.splitlines()]


def test_an_answer_only_grows_and_begins_with_its_question(nano, notebook) -> None:
    seen = list(answers(notebook, NIGHT))
    assert all(later.startswith(earlier) for earlier, later in pairwise(seen))
    first, about, *news = lines(seen[-1])
    assert first == {"run": 4}
    assert about["seed"] == 3
    assert about["used"] == len(nano.encode(NIGHT))
    assert news[-1]["ended"] in ("length", "stop")


def test_the_same_seed_writes_the_same_text(notebook) -> None:
    (*_, first), (*_, second) = answers(notebook, NIGHT), answers(notebook, NIGHT)
    assert tokens(lines(first)) == tokens(lines(second))


@pytest.mark.parametrize(
    ("text", "seed", "words"),
    [("", "", "write how it begins"), (NIGHT, "x", "he seed is 'x'"), (NIGHT, "-1", "eed is -1")],
)
def test_an_error_is_told_in_words(notebook, text, seed, words) -> None:
    (*_, last) = answers(notebook, text, seed=seed)
    error = lines(last)[-1]["error"]
    assert words in error
    assert error[0].isupper()


def test_who_stops_or_leaves_frees_the_engine(nano, notebook) -> None:
    going = answers(notebook, NIGHT, longest=900)
    next(going)
    notebook.end("a visit")
    assert idle(nano)
    assert not [line for answer in going for line in lines(answer) if "ended" in line]


def test_another_question_ends_the_one_before(nano, notebook) -> None:
    old = answers(notebook, NIGHT, longest=900)
    next(old)
    (*_, last) = answers(notebook, "Another text", longest=3)
    assert lines(last)[-1]["ended"] in ("length", "stop")
    assert idle(nano)
    assert list(old) == []


def test_a_page_that_is_gone_frees_the_engine(nano, notebook) -> None:
    going = answers(notebook, NIGHT, longest=900)
    next(going)
    going.close()
    assert idle(nano)

"""The notebook's side of the server: a text going on, and what the page gets of its tokens."""

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from grok_app import SamplingParams
from grok_app.engine.generation import Piece
from grok_app.engine.tokenizer import Tokenizer
from grok_app.errors import RequestError
from grok_app.replies import Replies
from grok_app.web.page.notebook.session import Asked, NotebookSession, Spelling
from grok_app.web.server.limits import Limits, Visitor
from tests.app_process import ROOT

NIGHT = "It was a dark night, and the captain"
BIRD = "🦜"
VISITOR = Visitor("a", "192.0.2.1")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(Path(ROOT / "assets" / "nano" / "tokenizer.model"))


@pytest.fixture
async def replies(nano) -> AsyncIterator[Replies]:
    made = Replies(nano, linger=60)
    yield made
    made.forget("one")


@pytest.fixture
async def notebook(nano, replies) -> NotebookSession:
    return NotebookSession(nano, Limits(), replies)


async def begin(
    notebook: NotebookSession, text: str, ids=(), seed="7", **sampling
) -> dict[str, Any]:
    return await notebook.begin(VISITOR, Asked("one", text, tuple(ids)), seed, **sampling)


async def tokens(notebook: NotebookSession, text: str, ids=(), **sampling) -> list[dict[str, Any]]:
    """All tokens of a text that goes on, as a page gets them."""
    await begin(notebook, text, ids, **sampling)
    found: list[dict[str, Any]] = []
    seen = 0
    while True:
        news = notebook.news("one", seen)
        found += news["tokens"]
        seen = news["seen"][1]
        if news["ended"]:
            return found
        await asyncio.sleep(0.01)


def piece(tokenizer: Tokenizer, token: int, *alternatives: int) -> Piece:
    data = tokenizer.token_bytes(token)
    return Piece("", token, data, -1.0, tuple((other, -2.0) for other in alternatives), None)


@pytest.mark.anyio
async def test_each_token_has_its_text_its_probability_and_the_five_likeliest(
    nano, notebook
) -> None:
    params = SamplingParams(max_tokens=20, temperature=0.0, logprobs=5)
    pieces = list(nano.generate(NIGHT, params))
    found = await tokens(notebook, NIGHT, max_tokens=20, temperature=0.0)
    assert [token["id"] for token in found] == [made.token_id for made in pieces]
    assert "".join(token["text"] for token in found) == "".join(m.text for m in pieces)
    for token, made in zip(found, pieces, strict=True):
        assert token["p"] == pytest.approx(math.exp(made.logprob), rel=1e-3)
        assert len(token["top"]) == 5
        assert token["top"][0][0] == token["id"]  # at temperature 0
        assert [p for *_, p in token["top"]] == sorted((p for *_, p in token["top"]), reverse=True)


@pytest.mark.anyio
async def test_a_page_that_comes_back_gets_the_same_tokens_again(notebook, replies) -> None:
    found = await tokens(notebook, NIGHT, max_tokens=12, temperature=0.0)
    for seen in range(len(found)):
        assert notebook.news("one", seen)["tokens"] == found[seen:]
    replies.forget("one")
    assert notebook.news("one", 0) == {}


@pytest.mark.anyio
async def test_the_token_that_ends_a_text_is_none_of_it(nano, notebook, replies) -> None:
    found = await tokens(notebook, "Good-bye.", seed="7", max_tokens=60, temperature=0.8)
    reply = replies.find("one")
    assert reply
    assert reply.ended == "stop"
    assert len(found) == len(reply.pieces) - 1
    assert "".join(token["text"] for token in found) == reply.text


@pytest.mark.anyio
async def test_a_text_is_asked_for_once(nano, replies) -> None:
    notebook = NotebookSession(nano, Limits(messages=1), replies)
    first = await begin(notebook, NIGHT, seed="", max_tokens=3)
    assert first["used"] == len(nano.encode(NIGHT))
    assert first["context"] == nano.context
    assert await begin(notebook, NIGHT, seed="", max_tokens=3) == first
    replies.forget("one")
    with pytest.raises(RequestError, match="1 messages a minute"):
        await begin(notebook, NIGHT, max_tokens=3)


@pytest.mark.anyio
@pytest.mark.parametrize(("wanted", "given"), [(50, 3), (2, 2)])
async def test_a_demo_bounds_a_continuation(nano, replies, wanted: int, given: int) -> None:
    notebook = NotebookSession(nano, Limits(tokens=3), replies)
    await begin(notebook, NIGHT, max_tokens=wanted)
    assert replies.find("one").wish.params.max_tokens == given


@pytest.mark.anyio
async def test_the_same_seed_writes_the_same_text(notebook, replies) -> None:
    first = await tokens(notebook, NIGHT, seed="3", max_tokens=20, temperature=0.8)
    replies.forget("one")
    assert await tokens(notebook, NIGHT, seed="3", max_tokens=20, temperature=0.8) == first


def test_half_a_character_waits_for_the_other_half(tokenizer) -> None:
    parts = tokenizer.encode(BIRD)
    assert len(parts) == 4  # one a byte
    spelling = Spelling(tokenizer, parts[:1])
    second = spelling.token(piece(tokenizer, parts[1], parts[1], tokenizer.encode("a")[0]))
    assert second["text"] == ""
    assert second["top"][0][1:3] == ["", tokenizer.name_of(parts[1])]
    assert second["top"][1][1] == "\ufffda"  # what it would be after half a character
    assert spelling.token(piece(tokenizer, parts[2]))["text"] == ""
    assert spelling.token(piece(tokenizer, parts[3], parts[3]))["text"] == BIRD


def test_alternatives_leave_no_trace(tokenizer) -> None:
    parts = tokenizer.encode(BIRD)
    spelling = Spelling(tokenizer, ())
    (plain,) = tokenizer.encode(" the")
    assert spelling.token(piece(tokenizer, plain, *parts))["text"] == " the"
    assert spelling.token(piece(tokenizer, plain))["text"] == " the"


def test_a_control_token_is_no_text(tokenizer) -> None:
    (end,) = (token for token in range(10) if tokenizer.name_of(token) == "</s>")
    (choice,) = Spelling(tokenizer, ()).token(piece(tokenizer, end, end))["top"]
    assert choice[1:3] == [None, "</s>"]


@pytest.mark.anyio
async def test_a_half_character_can_be_continued(nano, notebook) -> None:
    (first, *_) = nano.encode(BIRD)
    found = await tokens(notebook, "A bird: ", [first], max_tokens=8, temperature=0.0)
    assert found


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"id": 1, "text": "x", "ids": []}',
        '{"id": "one", "text": 5, "ids": []}',
        '{"id": "one", "text": "x"}',
    ],
    ids=lambda asked: asked[:40],
)
def test_what_no_page_asks_is_refused(asked: str) -> None:
    with pytest.raises(RequestError, match="cannot be continued; expected JSON with texts `id`"):
        Asked.from_json(asked)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "ids", "seed", "words"),
    [
        ("", [], "", "write how it begins"),
        ("word " * 3000, [], "", "context is 1024"),
        (NIGHT, [-1], "", "-1 is no token id"),
        (NIGHT, ["1"], "", "'1' is no token id"),
        (NIGHT, [10**9], "", "is no token id"),
        (NIGHT, [], "x", "he seed is 'x'"),
        (NIGHT, [], "-1", "eed is -1"),
    ],
)
async def test_what_cannot_be_continued_is_refused(notebook, replies, text, ids, seed, words):
    with pytest.raises(RequestError, match=words):
        await begin(notebook, text, ids, seed, max_tokens=5)
    assert replies.find("one") is None

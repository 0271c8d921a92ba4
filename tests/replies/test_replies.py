"""Replies from the real engine: as they grow, when they end, and who may come back to them."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise

import pytest

import grok_app
from grok_app.chat import Turn, load_personas
from grok_app.engine.request import SamplingParams
from grok_app.errors import ContextExceeded, EngineBusy, RequestError
from grok_app.replies import (
    Replies,
    Reply,
    Wish,
    chat_prompt,
    chat_wish,
    pieces,
    progress,
    start,
    text_wish,
)
from grok_app.replies.trim import Trim
from tests.app_process import ROOT

pytestmark = pytest.mark.anyio
PERSONAS = {persona.slug: persona for persona in load_personas(ROOT / "prompts")}
RAW = PERSONAS["raw"]
HELLO = (Turn("user", "Hello, how are you?"),)


def wish(engine: grok_app.Engine, slug: str = "grok", turns=HELLO, seed=1, **settings) -> Wish:
    persona = PERSONAS[slug]
    sampling = replace(persona.sampling, **settings)
    return chat_wish(engine, persona, turns, sampling, seed=seed)


def long(engine: grok_app.Engine, seed: int = 1) -> Wish:
    """A wish for a reply that ends only when it is stopped, or after a long time: of words at
    random, for whatever the model would say has an end."""
    return wish(engine, "raw", seed=seed, max_tokens=900, temperature=3.0, top_p=1.0)


async def ended(reply: Reply) -> Reply:
    async for _ in progress(reply):
        pass
    return reply


async def idle(engine: grok_app.Engine) -> bool:
    """Whether the engine soon has nothing to do."""
    until = time.monotonic() + 5
    while (now := engine.stats()).running + now.waiting and time.monotonic() < until:
        await asyncio.sleep(0.01)
    return not now.running + now.waiting


@pytest.mark.parametrize("slug", PERSONAS)
async def test_every_persona_replies(nano, slug: str) -> None:
    reply = await ended((await start(nano, [wish(nano, slug)]))[0])
    assert reply.text.strip()
    assert reply.ended in ("stop", "length")
    assert not any(stop in reply.text for stop in PERSONAS[slug].stops)


async def test_a_reply_only_grows(nano) -> None:
    (reply,) = await start(nano, [wish(nano, "storyteller", seed=2, max_tokens=100)])
    texts = [now.text async for now in progress(reply)]
    assert all(b.startswith(a) for a, b in pairwise(texts))
    assert texts[-1] == texts[-1].strip()


async def test_a_reply_is_the_engines_text(nano) -> None:
    asked = wish(nano, seed=3)
    (reply,) = await start(nano, [asked])
    await ended(reply)
    made = "".join(piece.text for piece in nano.generate(asked.ids, asked.params))
    assert reply.text == made.strip()
    assert "".join(piece.text for piece in reply.pieces) == reply.text


async def test_pieces_have_the_bytes_of_their_tokens(nano) -> None:
    pieces = list(nano.generate("Once upon a time", SamplingParams(max_tokens=30, seed=1)))
    assert [p.data for p in pieces] == [nano.tokenizer.token_bytes(p.token_id) for p in pieces]
    assert "".join(p.text for p in pieces) == b"".join(p.data for p in pieces).decode()


async def test_raw_text_keeps_its_spaces(nano) -> None:
    turns = (Turn("user", "It was a dark night,"),)
    wishes = [wish(nano, "raw", turns, max_tokens=n, temperature=0.0) for n in range(1, 6)]
    texts = [(await ended(reply)).text for reply in await start(nano, wishes)]
    assert any(text != text.strip() for text in texts)


@pytest.mark.parametrize("begun", ["Well, I", "Well, I "])
async def test_a_reply_that_was_begun_goes_on_with_one_space(nano, begun: str) -> None:
    turns = (*HELLO, Turn("assistant", begun))
    (reply,) = await start(nano, [wish(nano, turns=turns, temperature=0.0)])
    assert reply.text == begun
    assert not reply.progress.grown
    await ended(reply)
    assert reply.text.startswith(begun)
    added = reply.text.removeprefix(begun)
    assert added.startswith(" ") == (begun == begun.rstrip())
    assert added.lstrip()[:1].isalpha()


async def test_a_prompt_is_handed_over_as_it_was_counted(nano) -> None:
    asked = wish(nano)
    assert asked.prompt
    assert list(asked.ids) == nano.encode(asked.prompt.text)
    assert len(asked.ids) == asked.prompt.tokens


async def test_who_stops_keeps_what_there_is(nano) -> None:
    (reply,) = await start(nano, [long(nano)])
    async for now in progress(reply):
        if now.tokens > 5:
            reply.stop()
    assert reply.ended == "stopped"
    assert len(reply.pieces) > 5
    assert await idle(nano)


async def test_who_leaves_the_iteration_frees_the_slot(nano) -> None:
    started = await start(nano, [long(nano, seed) for seed in (1, 2)])
    async with aclosing(pieces(started)) as made:
        async for _ in made:
            break
    assert {reply.ended for reply in started} == {"stopped"}
    assert await idle(nano)


async def test_a_cancelled_reader_frees_the_slot(nano) -> None:
    (reply,) = await start(nano, [long(nano)])
    reading = asyncio.create_task(ended(reply))
    await asyncio.sleep(0.2)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert reply.ended == "stopped"
    assert await idle(nano)


async def test_several_are_read_side_by_side(nano) -> None:
    wishes = [wish(nano, "raw", seed=seed, max_tokens=40) for seed in (1, 2)]
    alone = [(await ended((await start(nano, [one]))[0])).text for one in wishes]
    texts = ["", ""]
    async for number, piece in pieces(await start(nano, wishes)):
        texts[number] += piece.text
    assert texts == alone


async def test_all_are_begun_or_none(nano) -> None:
    wishes = [long(nano, seed) for seed in range(nano.slots + nano.queue + 1)]
    with pytest.raises(EngineBusy):
        await start(nano, wishes)
    assert await idle(nano)


async def test_the_place_in_the_queue_is_told(nano) -> None:
    held = await start(nano, [long(nano) for _ in range(nano.slots)])
    (waiting,) = await start(nano, [wish(nano, "raw", max_tokens=1)])
    while nano.stats().waiting > 1:
        await asyncio.sleep(0.01)
    assert waiting.progress.place == 1
    for reply in held:
        reply.stop()
    assert (await ended(waiting)).progress.place == 0


@pytest.mark.parametrize(
    ("text", "kind"), [("", RequestError), ("  ", RequestError), ("x" * 100_000, ContextExceeded)]
)
async def test_what_cannot_be_answered_is_refused(nano, text: str, kind) -> None:
    with pytest.raises(kind):
        wish(nano, turns=(Turn("user", text),))
    if not text.strip():
        return
    with pytest.raises(kind):
        text_wish(nano, text, SamplingParams())


async def test_a_text_goes_on_as_if_never_stopped(nano) -> None:
    night, params = "It was a dark night", SamplingParams(max_tokens=24, temperature=0.0)
    (whole,) = await start(nano, [text_wish(nano, night, params)])
    ids = [piece.token_id for piece in (await ended(whole)).pieces]
    rest = replace(params, max_tokens=14)
    (later,) = await start(nano, [text_wish(nano, night, rest, written=ids[:10])])
    assert [piece.token_id for piece in (await ended(later)).pieces] == ids[10:]


async def test_token_ids_are_continued_as_their_text_is(nano) -> None:
    night, params = "It was a dark night", SamplingParams(max_tokens=5)
    assert text_wish(nano, nano.encode(night), params) == text_wish(nano, night, params)


@pytest.mark.parametrize(
    ("ids", "kind", "words"),
    [
        ([], RequestError, "no text to continue"),
        ([5, -1], RequestError, "-1 is no token id"),
        ([5] * 1025, ContextExceeded, "1025 tokens; this engine's context is 1024"),
    ],
    ids=["none", "no token", "too many"],
)
async def test_token_ids_that_cannot_be_continued_are_refused(nano, ids, kind, words) -> None:
    with pytest.raises(kind, match=words):
        text_wish(nano, ids, SamplingParams())


async def test_a_prompt_to_look_at_is_the_one_that_is_asked_with(nano) -> None:
    asked = wish(nano)
    longest = PERSONAS["grok"].sampling.max_tokens
    assert chat_prompt(nano, PERSONAS["grok"], HELLO, longest) == asked.prompt


async def test_experts_are_reported_only_when_asked_for(nano) -> None:
    grok = PERSONAS["grok"]
    several = [
        chat_wish(nano, grok, HELLO, grok.sampling, seed=1, experts=e) for e in (True, False)
    ]
    wanted, not_wanted = [await ended(reply) for reply in await start(nano, several)]
    assert wanted.text == not_wanted.text
    assert {piece.experts.shape for piece in wanted.pieces} == {(6, 2)}
    assert {piece.experts for piece in not_wanted.pieces} == {None}


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([" a", " b "], ["a", " b"]),
        ([" ", "\n", "a"], ["", "", "a"]),
        (["a", " ", "\n", "b"], ["a", "", "", " \nb"]),
        (["", " a  b ", ""], ["", "a  b", ""]),
    ],
)
async def test_spaces_around_a_reply_are_no_part_of_it(parts, shown) -> None:
    trim = Trim(raw=False)
    assert [trim.push(part) for part in parts] == shown
    raw = Trim(raw=True)
    assert [raw.push(part) for part in parts] == parts


# Replies whose reader may come back.


async def test_a_reply_goes_on_as_long_as_somebody_asks(nano) -> None:
    replies = Replies(nano, linger=0.8)
    (reply,) = await replies.begin({"one": long(nano)})
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        await asyncio.sleep(0.02)
        assert replies.find("one") is reply
    assert reply.ended != "left"
    replies.forget("one")


async def test_a_reply_goes_on_without_its_reader_and_then_ends(nano) -> None:
    replies = Replies(nano, linger=0.5)
    (reply,) = await replies.begin({"one": long(nano)})
    while not reply.pieces:
        await asyncio.sleep(0.01)
    before = len(reply.pieces)
    while reply.ended is None:
        await asyncio.sleep(0.05)
    assert reply.ended == "left"
    assert len(reply.pieces) > before
    assert await idle(nano)
    assert replies.find("one") is reply  # what there is can still be fetched


async def test_what_nobody_fetches_is_forgotten(nano) -> None:
    replies = Replies(nano, linger=0.1, kept=0.3)
    await replies.begin({"one": wish(nano, max_tokens=2)})
    await asyncio.sleep(1.0)
    assert replies.find("one") is None


async def test_who_asks_twice_has_one_reply(nano) -> None:
    replies = Replies(nano, linger=60)
    (first,) = await replies.begin({"one": wish(nano)})
    (again,) = await replies.begin({"one": wish(nano)})
    assert again is first
    assert nano.stats().running + nano.stats().waiting <= 1
    replies.forget("one")


async def test_who_has_all_of_a_reply_leaves_nothing_behind(nano) -> None:
    replies = Replies(nano, linger=60)
    (reply,) = await replies.begin({"one": long(nano)})
    replies.forget("one")
    assert reply.ended == "stopped"
    assert replies.find("one") is None
    assert await idle(nano)


@pytest.mark.parametrize("id", ["", "x" * 65])
async def test_an_id_that_no_page_makes_is_refused(nano, id: str) -> None:
    replies = Replies(nano, linger=60)
    with pytest.raises(RequestError, match="expected 1 to 64"):
        await replies.begin({id: wish(nano)})
    assert replies.find(id) is None

"""A reply on its way from the real engine to a reader."""

from dataclasses import replace
from itertools import pairwise

import pytest

import grok_app
from grok_app.chat import Sampling, Turn, load_personas
from grok_app.errors import RequestError
from grok_app.web.reply import Reply, explain
from tests.app_process import ROOT

PERSONAS = {persona.slug: persona for persona in load_personas(ROOT / "prompts")}
HELLO = (Turn("user", "Hello, how are you?"),)


def last(reply: Reply):
    *_, progress = reply
    return progress


@pytest.mark.parametrize("slug", PERSONAS)
def test_every_persona_replies(nano: grok_app.Engine, slug: str) -> None:
    persona = PERSONAS[slug]
    progress = last(Reply(nano, persona, HELLO, persona.sampling, seed=1))
    assert progress.text.strip()
    assert progress.ended in ("stop", "length")
    assert not any(stop in progress.text for stop in persona.stops)


def test_text_grows_and_is_never_taken_back(nano) -> None:
    persona = PERSONAS["storyteller"]
    sampling = replace(persona.sampling, max_tokens=100)
    texts = [now.text for now in Reply(nano, persona, HELLO, sampling, seed=2)]
    assert all(b.startswith(a) for a, b in pairwise(texts))
    assert texts[-1] == texts[-1].strip()


def test_a_reply_is_the_engines_text(nano) -> None:
    persona = PERSONAS["grok"]
    reply = Reply(nano, persona, HELLO, persona.sampling, seed=3)
    pieces = nano.generate(
        reply.prompt.text,
        stop=persona.stops,
        seed=3,
        max_tokens=persona.sampling.max_tokens,
        temperature=persona.sampling.temperature,
        top_p=persona.sampling.top_p,
        repetition_penalty=persona.sampling.repetition_penalty,
    )
    assert last(reply).text == "".join(piece.text for piece in pieces).strip()


def test_raw_text_keeps_its_spaces(nano) -> None:
    persona = replace(PERSONAS["raw"], stop=("e",))
    turns = (Turn("user", "It was a dark night,"),)
    texts = [
        last(Reply(nano, persona, turns, Sampling(temperature=0.0, max_tokens=n))).text
        for n in range(1, 6)
    ]
    assert any(text != text.strip() for text in texts)


def test_stopping_keeps_what_there_is(nano) -> None:
    persona = PERSONAS["raw"]
    reply = Reply(nano, persona, HELLO, replace(persona.sampling, max_tokens=500), seed=5)
    seen = []
    for now in reply:
        seen.append(now)
        if now.tokens > 5:
            reply.stop()
    assert seen[-1].ended in ("stopped", "stop")
    assert seen[-1].text.startswith(seen[-2].text)


def test_the_place_in_the_queue_is_told(nano) -> None:
    persona = PERSONAS["raw"]
    long = replace(persona.sampling, max_tokens=500, temperature=0.0)
    held = [Reply(nano, persona, HELLO, long) for _ in range(nano.slots)]
    waiting = Reply(nano, persona, HELLO, replace(long, max_tokens=1))
    progress = list(waiting)
    assert progress[-1].tokens == 1
    for reply in held:
        reply.stop()
    if len(progress) > 1:  # the slots were still taken
        assert progress[0].place == 1


def test_stop_strings_of_ones_own(nano) -> None:
    persona = PERSONAS["raw"]
    progress = last(Reply(nano, persona, HELLO, Sampling(max_tokens=200), seed=6, stop=["e"]))
    assert "e" not in progress.text
    assert progress.ended == "stop"


@pytest.mark.parametrize(
    ("text", "words"), [("", "is empty"), ("x" * 100_000, "100,000 characters")]
)
def test_what_cannot_be_answered_is_said_so(nano, text, words) -> None:
    persona = PERSONAS["grok"]
    with pytest.raises(RequestError, match=words) as caught:
        Reply(nano, persona, (Turn("user", text),), persona.sampling)
    shown = explain(caught.value, str)
    assert shown[0].isupper()
    assert shown.endswith(".")


def test_experts_are_kept_only_when_wanted(nano) -> None:
    persona = PERSONAS["grok"]
    wanted, not_wanted = (
        Reply(nano, persona, HELLO, persona.sampling, seed=1, experts=experts)
        for experts in (True, False)
    )
    assert last(wanted).text == last(not_wanted).text
    assert not not_wanted.traces
    assert {trace.experts.shape for trace in wanted.traces} == {(6, 2)}


def test_several_replies_are_watched_at_once(nano) -> None:
    persona = PERSONAS["raw"]
    sampling = replace(persona.sampling, max_tokens=40)
    alone = [last(Reply(nano, persona, HELLO, sampling, seed=seed)).text for seed in (1, 2)]
    replies = [Reply(nano, persona, HELLO, sampling, seed=seed) for seed in (1, 2)]
    shown = [[reply.catch_up()] for reply in replies]
    while not all(progress[-1].ended for progress in shown):
        for reply, progress in zip(replies, shown, strict=True):
            progress.append(reply.catch_up())
    assert [progress[-1].text for progress in shown] == alone
    for progress in shown:
        assert all(b.text.startswith(a.text) for a, b in pairwise(progress))

"""`POST /v1/chat/completions`: a persona makes the prompt, as on the page."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from grok_app.chat import Persona, Sampling, Turn
from grok_app.replies import chat_wish, progress, start
from tests.api.conftest import PERSONAS, messages

BY_SLUG = {persona.slug: persona for persona in PERSONAS}
TALK = ("Hi, I am Ann.", "Hello, Ann.", "Tell me a story.")


def shown(engine, slug: str = PERSONAS[0].slug, turns=TALK, **changes) -> str:
    """The reply that the page would show."""
    persona = BY_SLUG[slug]
    return asyncio.run(reply(engine, persona, turns, replace(persona.sampling, **changes)))


async def reply(engine, persona: Persona, turns: Sequence[str], sampling: Sampling) -> str:
    given = [Turn("assistant" if i % 2 else "user", text) for i, text in enumerate(turns)]
    (made,) = await start(engine, [chat_wish(engine, persona, given, sampling, seed=3)])
    async for _ in progress(made):
        pass
    return made.text


@pytest.mark.parametrize("slug", BY_SLUG)
def test_it_answers_as_the_page_does(api, nano, slug) -> None:
    answer = api.chat(*TALK, model=f"nano:{slug}", seed=3, max_tokens=40)
    choice = answer["choices"][0]
    assert choice["message"] == {
        "role": "assistant",
        "content": shown(nano, slug, max_tokens=40),
    }
    assert choice["finish_reason"] in ("stop", "length")


def test_without_a_persona_the_first_answers_with_its_own_settings(api, nano) -> None:
    assert api.chat(*TALK, seed=3)["choices"][0]["message"]["content"] == shown(nano)


def test_settings_of_the_request_win(api, nano) -> None:
    settings: dict[str, Any] = {"temperature": 0.3, "top_k": 5, "repetition_penalty": 1.3}
    answer = api.chat(*TALK, seed=3, max_completion_tokens=20, **settings)
    wanted = shown(nano, max_tokens=20, **settings)
    assert answer["choices"][0]["message"]["content"] == wanted
    assert answer["usage"]["completion_tokens"] <= 20


def test_a_stream_is_the_whole_in_pieces(api) -> None:
    body = {"messages": messages(*TALK), "n": 2, "seed": 3, "logprobs": True, "top_logprobs": 2}
    whole = api.post("/v1/chat/completions", **body).json()
    asked = body | {"model": "nano", "stream": True, "stream_options": {"include_usage": True}}
    with api.http.stream("POST", "/v1/chat/completions", json=asked) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    assert chunks[-1]["usage"] == whole["usage"]
    for choice in whole["choices"]:
        mine = [c for chunk in chunks for c in chunk["choices"] if c["index"] == choice["index"]]
        assert mine[0]["delta"] == {"role": "assistant", "content": ""}
        text = "".join(piece["delta"].get("content", "") for piece in mine)
        assert text == choice["message"]["content"]
        tokens = [t for p in mine if p["logprobs"] for t in p["logprobs"]["content"]]
        assert tokens == choice["logprobs"]["content"]
        assert [piece["finish_reason"] for piece in mine[:-1]] == [None] * (len(mine) - 1)
        assert mine[-1]["finish_reason"] == choice["finish_reason"]


def test_log_probabilities_are_of_the_tokens(api) -> None:
    answer = api.chat("Hi", temperature=0, max_tokens=10, logprobs=True, top_logprobs=3)
    tokens = answer["choices"][0]["logprobs"]["content"]
    assert len(tokens) == answer["usage"]["completion_tokens"]
    for token in tokens:
        assert len(token["top_logprobs"]) == 3
        assert token["logprob"] <= token["top_logprobs"][0]["logprob"] <= 0
        if not token["token"].startswith(("token_id:", "bytes:")):
            assert bytes(token["bytes"]).decode() == token["token"]


def test_a_system_message_takes_the_preambles_place(api, nano) -> None:
    told = [{"role": "system", "content": "A talk with a pirate.\nUser: hi"}, *messages(*TALK)]
    answer = api.post("/v1/chat/completions", messages=told, seed=3).json()
    persona = replace(PERSONAS[0], preamble="A talk with a pirate.\nUser hi")
    wanted = asyncio.run(reply(nano, persona, TALK, persona.sampling))
    assert answer["choices"][0]["message"]["content"] == wanted


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_begun_reply_goes_on_where_it_ends(api, nano, stream) -> None:
    """With the space at the joint, if that is not there yet."""
    begun = "Once upon a"
    whole = shown(nano, "grok", ("Tell me a story.", begun), max_tokens=12)
    assert whole.startswith(f"{begun} ")
    for text, rest in ((begun, whole[len(begun) :]), (f"{begun} ", whole[len(begun) + 1 :])):
        body: dict[str, Any] = {"messages": messages("Tell me a story.", text), "seed": 3}
        body |= {"model": "nano:grok", "max_tokens": 12, "stream": stream}
        assert content(api.post("/v1/chat/completions", **body)) == rest


def content(response) -> str:
    """What was said, in one piece or in many."""
    if "event-stream" not in response.headers["content-type"]:
        return response.json()["choices"][0]["message"]["content"]
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n")]
    chunks = [json.loads(line) for line in lines if line and line != "[DONE]"]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


def test_content_may_come_in_parts(api) -> None:
    parts = [{"type": "text", "text": "Tell me "}, {"type": "text", "text": "a story."}]
    whole = api.chat("Tell me a story.", seed=3)["choices"][0]["message"]
    asked = [{"role": "user", "content": parts}]
    answer = api.post("/v1/chat/completions", messages=asked, seed=3).json()
    assert answer["choices"][0]["message"] == whole


USER = {"role": "user", "content": "Hi"}
PART = {"type": "text", "text": "Hi"}
WRONG = [
    ({"messages": []}, "messages", None),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages", None),
    ({"messages": [{"role": "user", "content": ""}]}, "messages", None),
    ({"messages": [USER, {"role": "system", "content": "x"}]}, "messages", None),
    ({"messages": [{"role": "system", "content": "x"}]}, "messages", None),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages",
        "unsupported_parameter",
    ),
    ({"messages": [USER | {"name": "ann"}]}, "messages", "unsupported_parameter"),
    ({"messages": [USER] * 1000}, "messages", "context_length_exceeded"),
    ({"messages": [USER | {"content": "long " * 2000}]}, "messages", "context_length_exceeded"),
    ({"messages": [USER | {"content": "x" * 50_001}]}, "messages", "context_length_exceeded"),
    ({"top_logprobs": 2}, "top_logprobs", None),
    ({"logprobs": 2}, "logprobs", None),
    ({"max_tokens": 0}, "max_tokens", None),
    ({"tools": []}, "tools", "unsupported_parameter"),
    ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
    ({"echo": True}, "echo", "unsupported_parameter"),
    ({"a-b": True}, "a-b", "unsupported_parameter"),
    ({"": True}, "", "unsupported_parameter"),
    ({"str": True}, "str", "unsupported_parameter"),
]


@pytest.mark.parametrize(("wrong", "param", "code"), WRONG, ids=lambda value: str(value)[:40])
def test_what_cannot_be_done_is_refused_by_name(api, wrong, param, code) -> None:
    response = api.post("/v1/chat/completions", **{"messages": [USER]} | wrong)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["code"]) == (param, code)


def test_a_long_system_message_is_not_called_the_personas(api) -> None:
    told = {"role": "system", "content": "long " * 2000}
    response = api.post("/v1/chat/completions", messages=[told, USER])
    assert response.status_code == 400
    message = response.json()["error"]["message"]
    assert "the newest message and what stands before the conversation have" in message
    assert message.endswith("shorten the message or what stands before it")
    assert "persona" not in message


def test_a_picture_is_refused_as_such(api) -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {}}]
    asked = [{"role": "user", "content": parts}]
    message = api.post("/v1/chat/completions", messages=asked).json()["error"]["message"]
    there_is = "'image_url' is not supported here; the model reads 'text' only"
    assert message == f"messages[0].content: {there_is}"


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (USER | {"content": None}, "messages[1].content: "),
        ({"role": "user"}, "messages[1].content: "),
        ({"role": "tool", "content": "x"}, "messages[1].role: "),
        ("Hi", "messages[1]: "),
        (USER | {"name": "ann"}, "messages[1].name is not supported"),
        (USER | {"content": [PART | {"x": 1}]}, "messages[1].content[0].x is not supported"),
    ],
    ids=["no text", "no content", "a role", "no object", "a name", "a part"],
)
def test_the_message_at_fault_is_named(api, message, place) -> None:
    response = api.post("/v1/chat/completions", messages=[USER, message])
    assert response.json()["error"]["message"].startswith(place)


def test_an_unknown_persona_is_not_found(api) -> None:
    response = api.post("/v1/chat/completions", messages=[USER], model="nano:nobody")
    assert response.status_code == 404
    assert "nano:storyteller" in response.json()["error"]["message"]


def test_the_models_are_listed(api) -> None:
    listed = api.http.get("/v1/models").json()
    assert [model["id"] for model in listed["data"]] == ["nano", *(f"nano:{s}" for s in BY_SLUG)]
    for model in listed["data"]:
        assert api.http.get(f"/v1/models/{model['id']}").json() == model
        assert model["max_model_len"] == 1024
    assert api.http.get("/v1/models/gpt-4").status_code == 404

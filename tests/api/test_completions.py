"""`POST /v1/completions` is the engine, in OpenAI's words."""

import json
from typing import Any

import numpy as np
import pytest

import grok_app
from grok_app import SamplingParams
from tests.api.conftest import Client

GREEDY: dict[str, Any] = {"temperature": 0}
STORY = "It was a dark night, and the captain"
SEEDED = {"seed": 7, "temperature": 0.9, "top_p": 0.9, "top_k": 50, "min_p": 0.01}


def generated(engine: grok_app.Engine, prompt, **settings) -> str:
    return "".join(piece.text for piece in engine.generate(prompt, SamplingParams(**settings)))


def events(client: Client, **body) -> list[dict[str, Any]]:
    asked = {"model": client.model, "stream": True} | body
    with client.http.stream("POST", "/v1/completions", json=asked) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_greedy_is_the_engine_token_for_token(api, nano) -> None:
    made = list(nano.generate(STORY, SamplingParams(max_tokens=40, **GREEDY)))
    answer = api.completion(STORY, max_tokens=40, logprobs=0, **GREEDY)
    choice = answer["choices"][0]
    assert choice["text"] == "".join(piece.text for piece in made)
    assert choice["finish_reason"] == made[-1].finish_reason
    wanted = [piece.logprob for piece in made]
    assert choice["logprobs"]["token_logprobs"] == pytest.approx(wanted, abs=1e-3)
    assert answer["usage"]["completion_tokens"] == len(made)
    assert answer["usage"]["prompt_tokens"] == len(nano.tokenizer.encode(STORY))


def test_every_sampling_setting_reaches_the_engine(api, nano) -> None:
    settings = {"max_tokens": 30, "repetition_penalty": 1.1} | SEEDED
    assert api.text(STORY, **settings) == generated(nano, STORY, **settings)
    for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty"):
        plain = {key: value for key, value in settings.items() if key != name}
        assert api.text(STORY, **plain) == generated(nano, STORY, **plain)
    assert api.text(STORY, **settings | {"top_k": -1}) == api.text(STORY, **settings | {"top_k": 0})


def test_token_ids_are_a_prompt(api, nano) -> None:
    ids = nano.tokenizer.encode(STORY)
    assert api.text(ids, **GREEDY) == api.text(STORY, **GREEDY)
    two = api.completion([ids, ids[:2]], **GREEDY)["choices"]
    alone = [api.text(ids, **GREEDY), api.text(ids[:2], **GREEDY)]
    assert [choice["text"] for choice in two] == alone


def test_several_texts_each_n_times(api) -> None:
    prompts = [STORY, "The sea was"]
    answer = api.completion(prompts, n=3, max_tokens=12, seed=5)
    choices = answer["choices"]
    assert [choice["index"] for choice in choices] == list(range(6))
    texts = [choice["text"] for choice in choices]
    assert texts == [api.text(p, max_tokens=12, seed=5 + k) for p in prompts for k in range(3)]
    assert len(set(texts)) > 2


def test_it_stops_on_text(api, nano) -> None:
    whole = generated(nano, STORY, max_tokens=60, **GREEDY)
    stop = whole[5:8]
    assert len(stop) == 3
    answer = api.completion(STORY, max_tokens=60, stop=[stop, "never"], **GREEDY)["choices"][0]
    assert answer["text"] == whole[: whole.index(stop)]
    assert answer["finish_reason"] == "stop"
    assert api.text(STORY, max_tokens=60, stop=stop, **GREEDY) == answer["text"]


def test_a_stream_is_the_whole_in_pieces(api) -> None:
    body = {"prompt": [STORY, "The sea"], "n": 2, "max_tokens": 20, "logprobs": 2} | SEEDED
    whole = api.post("/v1/completions", **body).json()
    chunks = events(api, **body, stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    for choice in whole["choices"]:
        mine = [c for chunk in chunks for c in chunk["choices"] if c["index"] == choice["index"]]
        assert "".join(piece["text"] for piece in mine) == choice["text"]
        assert mine[-1]["finish_reason"] == choice["finish_reason"]
        for name, values in choice["logprobs"].items():
            assert [value for piece in mine for value in piece["logprobs"][name]] == values
    assert "usage" not in events(api, **body)[-1]


@pytest.mark.parametrize("length", [6, 300])
def test_echo_tells_how_likely_the_prompt_was(api, nano, length) -> None:
    text = " ".join(["The sea was calm, and the captain told a story of his youth."] * 40)
    ids = nano.tokenizer.encode(text)[:length]
    answer = api.completion(ids, echo=True, logprobs=5, max_tokens=3, **GREEDY)["choices"][0]
    made = [piece.token_id for piece in nano.generate(ids, SamplingParams(max_tokens=3, **GREEDY))]
    logits = nano.logits([ids + made])[0, :-1].astype(np.float64)
    wanted = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    told = answer["logprobs"]
    assert told["token_logprobs"][0] is None
    assert told["top_logprobs"][0] is None
    values = wanted[np.arange(len(wanted)), (ids + made)[1:]]
    # For what is made the keys and values are read in float16.
    bounds = [1e-3] * (len(ids) - 1) + [5e-3] * len(made)
    rows = zip(
        told["token_logprobs"][1:], told["top_logprobs"][1:], values, wanted, bounds, strict=True
    )
    for logprob, top, value, row, bound in rows:
        assert logprob == pytest.approx(value, abs=bound)
        likeliest = np.sort(row)[:-6:-1].tolist()
        assert sorted(top.values(), reverse=True)[:5] == pytest.approx(likeliest, abs=bound)
    assert answer["text"] == nano.tokenizer.decode(ids + made)
    for token, offset in zip(told["tokens"], told["text_offset"], strict=True):
        if not token.startswith(("bytes:", "token_id:")):
            assert answer["text"][offset:].startswith(token)


def test_echo_alone_makes_nothing(api) -> None:
    answer = api.completion(STORY, echo=True, logprobs=1, max_tokens=0)
    assert answer["choices"][0]["text"] == STORY
    assert answer["usage"]["completion_tokens"] == 0
    assert api.text(STORY, max_tokens=0) == ""


WRONG = [
    ({"prompt": ""}, "prompt", None),
    ({"prompt": []}, "prompt", None),
    ({"prompt": [[1], []]}, "prompt", None),
    ({"prompt": [1.5]}, "prompt", None),
    ({"prompt": [True]}, "prompt", None),
    ({"prompt": [4096]}, "prompt", None),
    ({"prompt": [5] * 1025}, "prompt", "context_length_exceeded"),
    ({"prompt": [5] * 1024}, "prompt", "context_length_exceeded"),
    ({"prompt": ["a"] * 65}, "prompt", None),
    ({"prompt": ["a"] * 10, "n": 8}, "n", None),
    ({"n": 17}, "n", None),
    ({"max_tokens": -1}, "max_tokens", None),
    ({"temperature": -0.1}, "temperature", None),
    ({"temperature": "1"}, "temperature", None),
    ({"top_p": 1.1}, "top_p", None),
    ({"top_k": -2}, "top_k", None),
    ({"logprobs": 21}, "logprobs", None),
    ({"seed": 2**32}, "seed", None),
    ({"stop": ["a"] * 17}, "stop", None),
    ({"stop": ""}, "stop", None),
    ({"stream_options": {"include_usage": True}}, "stream_options", None),
    ({"stream": True, "stream_options": {"x": 1}}, "stream_options", "unsupported_parameter"),
    ({"frequency_penalty": 0.5}, "frequency_penalty", "unsupported_parameter"),
    ({"presence_penalty": -1}, "presence_penalty", "unsupported_parameter"),
    *(
        ({name: value}, name, "unsupported_parameter")
        for name, value in {
            "best_of": 2,
            "logit_bias": {"50256": -100},
            "suffix": "end",
            "user": "ann",
            "beams": 4,
        }.items()
    ),
]


@pytest.mark.parametrize(("wrong", "param", "code"), WRONG, ids=lambda value: str(value)[:40])
def test_what_cannot_be_done_is_refused_by_name(api, wrong, param, code) -> None:
    response = api.post("/v1/completions", **{"prompt": "x"} | wrong)
    assert response.status_code == 400
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert (error["param"], error["code"]) == (param, code)
    assert param is None or param in error["message"] or code == "context_length_exceeded"


def test_a_known_field_that_is_not_supported_says_what_is(api) -> None:
    message = api.post("/v1/completions", prompt="x", frequency_penalty=0.5).json()["error"]
    assert message["message"] == (
        "frequency_penalty: 0.5 is not supported here; give 0, or use repetition_penalty"
    )


def test_neutral_settings_that_clients_send_are_taken(api) -> None:
    plain = api.text(STORY, **GREEDY)
    assert api.text(STORY, frequency_penalty=0, presence_penalty=0.0, n=None, **GREEDY) == plain


@pytest.mark.parametrize("name", ["gpt-4", "nano:grok", ""])
def test_another_model_is_not_found(api, name) -> None:
    response = api.post("/v1/completions", prompt="x", model=name)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert "nano" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"{", "application/json", "no JSON"),
        (b"[" * 100_000, "application/json", "pars"),
        (b'{"model": "nano", "prompt": "\\ud800"}', "application/json", "prompt"),
        (b'{"model": "nano", "prompt": "x"}', "text/plain", "application/json"),
        (b'{"model": "nano", "prompt": "x", "temperature": NaN}', "application/json", "temper"),
        (b"\xff", "application/json", "UTF-8"),
    ],
)
def test_what_is_no_request_is_said_so(api, content, kind, words) -> None:
    response = api.http.post("/v1/completions", content=content, headers={"Content-Type": kind})
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]

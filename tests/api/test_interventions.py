"""Interventions over the API are those of the engine."""

from typing import Any

import pytest

from grok_app import Intervention, SamplingParams

STORY = "It was a dark night, and the captain"
GIVEN: list[dict[str, Any]] = [
    {"kind": "mask", "expert": 0},
    {"kind": "bias", "expert": 3, "by": 1.5, "layers": [1, 2]},
    {"kind": "swap", "expert": 5, "to": 6},
]
CHANGES = (
    Intervention("mask", 0),
    Intervention("bias", 3, (1, 2), by=1.5),
    Intervention("swap", 5, to=6),
)


def test_a_completion_is_the_engines(api, nano) -> None:
    params = SamplingParams(max_tokens=20, temperature=0.0, interventions=CHANGES)
    wanted = "".join(piece.text for piece in nano.generate(STORY, params))
    assert api.text(STORY, max_tokens=20, temperature=0, interventions=GIVEN) == wanted
    assert api.text(STORY, max_tokens=20, temperature=0) != wanted


def test_a_scored_prompt_is_the_engines(api, nano) -> None:
    asked = {"max_tokens": 0, "echo": True, "logprobs": 0, "interventions": GIVEN}
    logprobs = api.completion(STORY, **asked)["choices"][0]["logprobs"]["token_logprobs"]
    wanted = nano.trace(STORY, (), interventions=CHANGES).logprobs
    assert logprobs[1:] == pytest.approx(wanted[1:].tolist(), abs=1e-4)


def test_a_chat_has_its_own(api) -> None:
    def reply(**more: Any) -> str:
        answer = api.chat("How was your day?", temperature=0, max_tokens=12, **more)
        return answer["choices"][0]["message"]["content"]

    assert reply(interventions=[]) == reply()
    assert reply(interventions=GIVEN) != reply()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "kill", "expert": 0}, "interventions"),
        ({"kind": "mask", "expert": 8}, "from 0 to 7"),
        ({"kind": "mask", "expert": 0, "layers": [6]}, "from 0 to 5"),
        ({"kind": "swap", "expert": 0}, "swap needs it"),
    ],
)
def test_what_cannot_be_done_is_told(api, given: dict[str, Any], words: str) -> None:
    for more in ({}, {"max_tokens": 0, "echo": True, "logprobs": 0}):
        body = {"model": api.model, "prompt": STORY, "interventions": [given], **more}
        answer = api.http.post("/v1/completions", json=body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert words in error["message"] + str(error["param"])

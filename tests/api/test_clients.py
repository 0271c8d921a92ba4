"""Clients that others wrote, as they are: against the app as a person starts it."""

import asyncio
import json
import re
import shutil
import subprocess

import openai
import pytest

import grok_app
from grok_app import SamplingParams
from tests.api.conftest import messages
from tests.app_process import ROOT

STORY = "It was a dark night, and the captain"


@pytest.fixture(scope="module")
def client(app_url: str):
    with openai.OpenAI(base_url=f"{app_url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_the_readmes_example(app_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
        if "openai" in block
    )
    exec(program.replace("http://127.0.0.1:7860", app_url), {})
    assert capsys.readouterr().out.strip()


def generated(engine: grok_app.Engine, **settings) -> str:
    return "".join(piece.text for piece in engine.generate(STORY, SamplingParams(**settings)))


def test_openai_lists_the_models(client) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed[:2] == ["nano", "nano:grok"]
    assert client.models.retrieve("nano:grok").id == "nano:grok"


def test_openai_completes(client, nano) -> None:
    answer = client.completions.create(
        model="nano", prompt=STORY, max_tokens=30, temperature=0, logprobs=2, echo=True
    )
    choice = answer.choices[0]
    assert choice.text == STORY + generated(nano, max_tokens=30, temperature=0)
    assert choice.logprobs.token_logprobs[0] is None
    assert len(choice.logprobs.tokens) == answer.usage.total_tokens


def test_openai_streams_a_completion(client, nano) -> None:
    stream = client.completions.create(
        model="nano",
        prompt=STORY,
        max_tokens=30,
        seed=3,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    assert text == generated(nano, max_tokens=30, seed=3)
    assert chunks[-1].usage.total_tokens > 0


def test_openai_chats(client) -> None:
    asked = {"model": "nano:storyteller", "messages": messages("Tell me a story."), "seed": 3}
    answer = client.chat.completions.create(**asked, logprobs=True, top_logprobs=2)
    choice = answer.choices[0]
    assert choice.message.role == "assistant"
    assert len(choice.logprobs.content) == answer.usage.completion_tokens
    stream = client.chat.completions.create(**asked, stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == choice.message.content
    with client.chat.completions.stream(**asked) as events:  # the client's own way to add it up
        assert events.get_final_completion().choices[0].message.content == choice.message.content


def test_openai_raises_its_own_errors(client) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-4'"):
        client.completions.create(model="gpt-4", prompt="x")
    with pytest.raises(openai.BadRequestError, match="logit_bias is not supported") as caught:
        client.completions.create(model="nano", prompt="x", logit_bias={"1": 1})
    assert caught.value.param == "logit_bias"


def test_many_at_once_through_the_asynchronous_client(app_url: str, client) -> None:
    """Forty streams at once, some of them left: each is what it is alone."""

    async def one(client: openai.AsyncOpenAI, seed: int) -> str:
        stream = await client.completions.create(
            model="nano", prompt=STORY, max_tokens=25, seed=seed, stream=True
        )
        text = ""
        async for chunk in stream:
            text += chunk.choices[0].text
            if seed % 5 == 4:
                await stream.close()
                break
        return text

    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{app_url}/v1", api_key="none") as client:
            return await asyncio.gather(*(one(client, seed) for seed in range(40)))

    texts = asyncio.run(all_of_them())
    for seed in range(0, 40, 10):
        alone = client.completions.create(model="nano", prompt=STORY, max_tokens=25, seed=seed)
        assert texts[seed] == alone.choices[0].text


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_completes_and_streams(app_url: str, nano) -> None:
    def curl(**body) -> str:
        data = json.dumps({"model": "nano", "prompt": STORY, "max_tokens": 20} | body)
        command = ["curl", "--silent", "--show-error", "--no-buffer", "--noproxy", "*"]
        header = ["--header", "Content-Type: application/json", "--data", data]
        ended = subprocess.run(
            [*command, f"{app_url}/v1/completions", *header],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return ended.stdout

    wanted = generated(nano, max_tokens=20, temperature=0)
    assert json.loads(curl(temperature=0))["choices"][0]["text"] == wanted
    lines = curl(temperature=0, stream=True).splitlines()
    assert lines[-2:] == ["data: [DONE]", ""]
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2] if line]
    assert "".join(event["choices"][0]["text"] for event in events) == wanted

"""`POST /v1/chat/completions`: a conversation, which a persona makes a prompt of."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any

from anyio import to_thread
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from grok_app.api.errors import ApiError, as_api_error
from grok_app.api.limits import check_choices, check_stream
from grok_app.api.logprobs import chat_logprob
from grok_app.api.replies import begin, pieces
from grok_app.api.schemas import (
    ChatChoice,
    ChatChunk,
    ChatChunkChoice,
    ChatCompletion,
    ChatLogprobs,
    ChatRequest,
    Delta,
    Message,
    ReplyMessage,
    Usage,
)
from grok_app.api.service import Service
from grok_app.api.stream import EventStream
from grok_app.chat import Persona, Prompt, Turn, build_prompt, neutralize
from grok_app.errors import RequestError


def add_chat(app: FastAPI, service: Service) -> None:
    """Adds the route."""

    @app.post(
        "/v1/chat/completions",
        operation_id="chat_completions",
        responses={200: {"model": ChatCompletion, "content": {EventStream.media_type: {}}}},
    )
    async def chat_completions(request: Request, body: ChatRequest) -> Response:
        """Replies to a conversation."""
        persona = service.persona(body.model)
        check_stream(body)
        check_choices(service.engine, body.n or 1)
        if body.top_logprobs is not None and not body.logprobs:
            raise ApiError(400, "top_logprobs without logprobs: true", param="top_logprobs")
        answering = Answering(service, persona, body)
        await to_thread.run_sync(answering.begin)
        if body.stream:
            return EventStream(answering.chunks(request), service.patience)
        return JSONResponse((await answering.whole(request)).model_dump())


class Answering:
    """One request being served."""

    def __init__(self, service: Service, persona: Persona, body: ChatRequest):
        self._body, self._persona, self._engine = body, persona, service.engine
        self._tokenizer = service.tokenizer
        self._generations: list[Any] = []
        self._read = self._made = 0
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": body.model,
        }

    def begin(self) -> None:
        """Builds the prompt and asks the engine for the replies; see `replies.begin`.

        What was not given is as the persona wants it.
        """
        body, persona = self._body, self._persona
        settings = asdict(persona.sampling) | body.sampling()
        if longest := body.max_completion_tokens or body.max_tokens:
            settings["max_tokens"] = longest
        count = len(body.messages)
        prompt = self._prompt(settings["max_tokens"])
        if prompt.dropped:
            raise ApiError(
                400,
                f"the {count} messages are longer than the context of {self._engine.context} "
                f"tokens, of which {prompt.room} are kept free for the reply: leave out the oldest "
                f"{prompt.dropped}",
                "context_length_exceeded",
                "messages",
            )
        ids = self._engine.encode(prompt.text)
        self._read = len(ids)
        settings["stop"] = (*persona.stops, *body.stops)
        settings["logprobs"] = body.top_logprobs or 0
        self._generations = begin(self._engine, [ids], body.n or 1, body.seed, **settings)

    async def whole(self, request: Request) -> ChatCompletion:
        """The answer, when it is complete."""
        choices = [
            ChatChoice(
                index=index,
                message=ReplyMessage(content=""),
                logprobs=ChatLogprobs(content=[]) if self._body.logprobs else None,
                finish_reason=None,
            )
            for index in range(len(self._generations))
        ]
        async with aclosing(self._choices(request)) as pieces_of_choices:
            async for piece in pieces_of_choices:
                choice = choices[piece.index]
                choice.message.content += piece.delta.content or ""
                choice.finish_reason = piece.finish_reason
                if choice.logprobs and piece.logprobs:
                    choice.logprobs.content.extend(piece.logprobs.content)
        return ChatCompletion(**self._head, choices=choices, usage=self._usage())

    async def chunks(self, request: Request) -> AsyncGenerator[ChatChunk]:
        """The answer as it is made: who speaks, then what is said."""
        head = self._head | {"object": "chat.completion.chunk"}
        async with aclosing(self._choices(request)) as pieces_of_choices:
            for index in range(len(self._generations)):
                begun = Delta(role="assistant", content="")
                yield ChatChunk(**head, choices=[_chunk(index, begun, None, None)])
            async for piece in pieces_of_choices:
                if piece.delta.content or piece.logprobs or piece.finish_reason:
                    yield ChatChunk(**head, choices=[piece])
        if self._body.include_usage:
            yield ChatChunk(**head, choices=[], usage=self._usage())

    async def _choices(self, request: Request) -> AsyncGenerator[ChatChunkChoice]:
        raw, begun = self._persona.labels is None, _is_begun(self._body.messages[-1])
        trims = [Trim(raw, begun) for _ in self._generations]
        async with aclosing(pieces(self._generations, request.receive)) as made:
            async for index, piece in made:
                self._made += 1
                logprobs = None
                if self._body.logprobs:
                    logprobs = ChatLogprobs(content=[chat_logprob(self._tokenizer, piece)])
                delta = Delta(content=trims[index].push(piece.text))
                yield _chunk(index, delta, logprobs, piece.finish_reason)

    def _prompt(self, max_tokens: int) -> Prompt:
        persona, messages = self._persona, self._body.messages
        if messages[0].role == "system":
            persona, messages = _told(persona, messages[0].text), messages[1:]
        if not messages:
            raise ApiError(400, "a system message alone: add one of the user's", param="messages")
        if any(message.role == "system" for message in messages):
            raise ApiError(400, "a system message can only stand first", param="messages")
        count, context = lambda text: len(self._tokenizer.encode(text)), self._engine.context
        try:
            return build_prompt(persona, _turns(messages), count, context, max_tokens)
        except RequestError as error:
            raise as_api_error(error, "messages") from None

    def _usage(self) -> Usage:
        return Usage(
            prompt_tokens=self._read,
            completion_tokens=self._made,
            total_tokens=self._read + self._made,
        )


class Trim:
    """A reply without the spaces between label and text, and without those at its end, which wait
    until something follows; raw text stays as it is. One that is `begun` goes on in the middle of
    a text, where a space parts words."""

    def __init__(self, raw: bool, begun: bool = False):
        self._raw, self._begun, self._held = raw, begun, ""

    def push(self, text: str) -> str:
        """What of the text so far can be shown, and was not yet."""
        if self._raw:
            return text
        text = self._held + text
        if not self._begun:
            text = text.lstrip()
        shown = text.rstrip()
        self._begun |= bool(shown)
        self._held = text[len(shown) :]
        return shown


def _told(persona: Persona, text: str) -> Persona:
    """The persona with a system message in its preamble's place; its examples stay, since they
    show the form. Like a turn, the message cannot pass for one with a label."""
    return replace(persona, preamble=neutralize(text, persona))


def _is_begun(message: Message) -> bool:
    """Whether the reply continues that message, and the space before its next word is not there
    yet: the model never sees one at the end, and writes its own."""
    text = message.text
    return message.role == "assistant" and text == text.rstrip()


def _turns(messages: Sequence[Message]) -> list[Turn]:
    return [
        Turn("assistant" if message.role == "assistant" else "user", message.text)
        for message in messages
    ]


def _chunk(
    index: int, delta: Delta, logprobs: ChatLogprobs | None, finish_reason: Any
) -> ChatChunkChoice:
    return ChatChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=finish_reason)

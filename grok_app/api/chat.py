"""`POST /v1/chat/completions`: a conversation, which a persona makes a prompt of."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from grok_app.api.errors import ApiError, as_api_error
from grok_app.api.leaving import pieces_for
from grok_app.api.limits import check_choices, check_stream
from grok_app.api.logprobs import chat_logprob
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
from grok_app.api.seeds import with_seed
from grok_app.api.service import Service
from grok_app.api.stream import EventStream
from grok_app.api.usage import usage
from grok_app.chat import Persona, Turn, neutralize
from grok_app.errors import RequestError
from grok_app.replies import Reply, Wish, chat_wish, start, stop


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
        await answering.begin()
        if body.stream:
            end = partial(stop, answering.replies)
            return EventStream(answering.chunks(request), service.patience, end)
        return JSONResponse((await answering.whole(request)).model_dump())


class Answering:
    """One request being served."""

    def __init__(self, service: Service, persona: Persona, body: ChatRequest):
        self._body, self._persona, self._engine = body, persona, service.engine
        self._tokenizer = service.tokenizer
        self.replies: list[Reply] = []
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": body.model,
        }

    async def begin(self) -> None:
        """Asks for the replies, all or none. What was not given is as the persona wants it.

        Raises:
            ApiError: the messages make no prompt, or none that fits.
            EngineBusy, EngineFailed: as `replies.start`.
        """
        wish = await to_thread.run_sync(self._wish)
        wishes = [with_seed(wish, self._body.seed, k) for k in range(self._body.n or 1)]
        self.replies = await start(self._engine, wishes)

    def _wish(self) -> Wish:
        body, (persona, turns) = self._body, self._conversation()
        given = body.sampling()
        if longest := body.max_completion_tokens or body.max_tokens:
            given["max_tokens"] = longest
        try:
            wish = chat_wish(
                self._engine,
                persona,
                turns,
                replace(persona.sampling, **given),
                stop=body.stops,
                logprobs=body.top_logprobs or 0,
            )
        except RequestError as error:
            raise as_api_error(error, error.field or "messages") from None
        assert wish.prompt is not None
        if wish.prompt.dropped:
            raise ApiError(
                400,
                f"the {len(body.messages)} messages are longer than the context of "
                f"{self._engine.context} tokens, of which {wish.prompt.max_new_tokens} are kept "
                f"free for the reply: leave out the oldest {wish.prompt.dropped}",
                "context_length_exceeded",
                "messages",
            )
        return replace(wish, params=replace(wish.params, interventions=body.changes))

    def _conversation(self) -> tuple[Persona, list[Turn]]:
        """The persona, with what a system message says of it, and the turns.

        Raises:
            ApiError: the messages are in no order that makes a conversation.
        """
        persona, messages = self._persona, self._body.messages
        if messages[0].role == "system":
            persona, messages = _with_system_message(persona, messages[0].text), messages[1:]
        if not messages:
            raise ApiError(400, "a system message alone: add one of the user's", param="messages")
        if any(message.role == "system" for message in messages):
            raise ApiError(400, "a system message can only stand first", param="messages")
        return persona, _turns(messages)

    async def whole(self, request: Request) -> ChatCompletion:
        """The answer, when it is complete."""
        choices = [
            ChatChoice(
                index=index,
                message=ReplyMessage(content=""),
                logprobs=ChatLogprobs(content=[]) if self._body.logprobs else None,
                finish_reason=None,
            )
            for index in range(len(self.replies))
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
        """The answer as it is made: first the role, then the text."""
        head = self._head | {"object": "chat.completion.chunk"}
        async with aclosing(self._choices(request)) as pieces_of_choices:
            for index in range(len(self.replies)):
                begun = Delta(role="assistant", content="")
                yield ChatChunk(**head, choices=[_chunk(index, begun, None, None)])
            async for piece in pieces_of_choices:
                if piece.delta.content or piece.logprobs or piece.finish_reason:
                    yield ChatChunk(**head, choices=[piece])
        if self._body.include_usage:
            yield ChatChunk(**head, choices=[], usage=self._usage())

    async def _choices(self, request: Request) -> AsyncGenerator[ChatChunkChoice]:
        async with aclosing(pieces_for(request.receive, self.replies)) as made:
            async for index, piece in made:
                logprobs = None
                if self._body.logprobs:
                    logprobs = ChatLogprobs(content=[chat_logprob(self._tokenizer, piece)])
                yield _chunk(index, Delta(content=piece.text), logprobs, piece.finish_reason)

    def _usage(self) -> Usage:
        return usage([len(self.replies[0].wish.ids)], self.replies)


def _with_system_message(persona: Persona, text: str) -> Persona:
    """The persona with a system message in its preamble's place; its examples stay, since they
    show the form. Like a turn, the message cannot pass for one with a label."""
    return replace(persona, preamble=neutralize(text, persona))


def _turns(messages: Sequence[Message]) -> list[Turn]:
    return [
        Turn("assistant" if message.role == "assistant" else "user", message.text)
        for message in messages
    ]


def _chunk(
    index: int, delta: Delta, logprobs: ChatLogprobs | None, finish_reason: Any
) -> ChatChunkChoice:
    return ChatChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=finish_reason)

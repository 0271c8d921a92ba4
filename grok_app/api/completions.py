"""`POST /v1/completions`: text or tokens, continued."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from grok_app.api.echo import PromptScorer
from grok_app.api.errors import ApiError, as_api_error
from grok_app.api.leaving import pieces_for
from grok_app.api.limits import check_choices, check_stream
from grok_app.api.logprobs import CompletionLog, Entry, entry, extend
from grok_app.api.schemas import Completion, CompletionChoice, CompletionRequest, Usage
from grok_app.api.seeds import with_seed
from grok_app.api.service import Service
from grok_app.api.stream import EventStream
from grok_app.api.usage import usage
from grok_app.engine.request import SamplingParams
from grok_app.errors import ContextExceeded, RequestError
from grok_app.replies import Reply, Wish, start, stop, text_wish


def add_completions(app: FastAPI, service: Service) -> None:
    """Adds the route."""
    scorer = PromptScorer()

    @app.post(
        "/v1/completions",
        operation_id="completions",
        responses={200: {"model": Completion, "content": {EventStream.media_type: {}}}},
    )
    async def completions(request: Request, body: CompletionRequest) -> Response:
        """Continues one or several prompts."""
        engine = service.engine
        service.check_model(body.model)
        check_stream(body)
        check_choices(engine, body.n or 1, len(body.prompts))
        completing = Completing(service, body)
        await to_thread.run_sync(completing.read)
        if body.echo and body.logprobs is not None:
            completing.scores = await scorer.score(
                engine, completing.prompts, body.logprobs, body.changes, request.receive
            )
        await completing.begin()
        if body.stream:
            end = partial(stop, completing.replies)
            return EventStream(completing.chunks(request), service.patience, end)
        return JSONResponse((await completing.whole(request)).model_dump())


class Completing:
    """One request being served."""

    def __init__(self, service: Service, body: CompletionRequest):
        self._body, self._engine = body, service.engine
        self._n = body.n or 1
        self.replies: list[Reply] = []
        self._head: dict[str, Any] = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": body.model,
        }
        self._wishes: list[Wish] = []
        self.scores: list[list[Entry]] | None = None

    @property
    def prompts(self) -> list[Sequence[int]]:
        """The tokens of the prompts, once they are read."""
        return [wish.ids for wish in self._wishes]

    def read(self) -> None:
        """Makes a wish of each prompt.

        Raises:
            ApiError: a prompt is no text that can be read, or too long.
            RequestError: a setting is out of range.
        """
        body = self._body
        given = body.sampling() | {"stop": body.stops, "logprobs": body.logprobs or 0}
        if body.max_tokens:  # without a token to make, the prompts are only read
            given["max_tokens"] = body.max_tokens
        given["interventions"] = body.changes
        params = SamplingParams(**given)
        try:
            self._wishes = [text_wish(self._engine, prompt, params) for prompt in body.prompts]
        except ContextExceeded as error:
            raise as_api_error(error, "prompt") from None
        except RequestError as error:
            raise ApiError(400, f"prompt: {error}", param="prompt") from None

    async def begin(self) -> None:
        """Asks for the replies to all prompts, or for none; see `replies.start`."""
        if self._body.max_tokens == 0:
            return
        seed, seeds = self._body.seed, range(self._n)
        several = [with_seed(wish, seed, k) for wish in self._wishes for k in seeds]
        try:
            self.replies = await start(self._engine, several)
        except ContextExceeded as error:
            raise as_api_error(error, "prompt") from None

    async def whole(self, request: Request) -> Completion:
        """The answer, when it is complete."""
        choices: dict[int, CompletionChoice] = {}
        async with aclosing(self._choices(request)) as pieces_of_choices:
            async for piece in pieces_of_choices:
                if piece.index in choices:
                    _grow(choices[piece.index], piece)
                else:
                    choices[piece.index] = piece
        ordered = [choices[index] for index in sorted(choices)]
        return Completion(**self._head, choices=ordered, usage=self._usage())

    async def chunks(self, request: Request) -> AsyncGenerator[Completion]:
        """The answer as it is made."""
        async with aclosing(self._choices(request)) as pieces_of_choices:
            async for piece in pieces_of_choices:
                if piece.text or piece.logprobs or piece.finish_reason:
                    yield Completion(**self._head, choices=[piece])
        if self._body.include_usage:
            yield Completion(**self._head, choices=[], usage=self._usage())

    async def _choices(self, request: Request) -> AsyncGenerator[CompletionChoice]:
        """Pieces of all choices: first the prompts, where they are to be echoed."""
        body, tokenizer = self._body, self._engine.tokenizer
        logs = [CompletionLog(tokenizer) for _ in range(len(self.prompts) * self._n)]
        for index, log in enumerate(logs):
            if body.echo or not self.replies:
                scores = self.scores[index // self._n] if self.scores else None
                yield CompletionChoice(
                    index=index,
                    text=self._echoed(index // self._n) if body.echo else "",
                    logprobs=None if scores is None else log.add(scores),
                    finish_reason=None if self.replies else "length",
                )
        async with aclosing(pieces_for(request.receive, self.replies)) as made:
            async for index, piece in made:
                wanted = body.logprobs is not None
                yield CompletionChoice(
                    index=index,
                    text=piece.text,
                    logprobs=logs[index].add([entry(piece)]) if wanted else None,
                    finish_reason=piece.finish_reason,
                )

    def _echoed(self, number: int) -> str:
        prompt, tokenizer = self._body.prompts[number], self._engine.tokenizer
        if isinstance(prompt, str):
            return prompt
        return tokenizer.decode(prompt) if tokenizer else ""

    def _usage(self) -> Usage:
        return usage(map(len, self.prompts), self.replies)


def _grow(choice: CompletionChoice, piece: CompletionChoice) -> None:
    choice.text += piece.text
    choice.finish_reason = piece.finish_reason
    if choice.logprobs and piece.logprobs:
        extend(choice.logprobs, piece.logprobs)

"""The resident engine: one thread owns the device and serves everybody.

A turn of its loop is: take out who left, plan, dispatch, and only then hand over what an earlier
dispatch made. So the device has the next step before the host looks at the last one's tokens.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from grok_app.checkpoint.plan import MemoryPlan
from grok_app.engine.channel import Leader
from grok_app.engine.generation import Generation
from grok_app.engine.memory import out_of_memory
from grok_app.engine.metrics import Metrics
from grok_app.engine.pace import Pace
from grok_app.engine.request import FinishReason, Request, SamplingParams, Token
from grok_app.engine.runner import CHUNKS, Runner
from grok_app.engine.sampler import Sampled
from grok_app.engine.scheduler import Plan, Scheduler
from grok_app.engine.scorer import CHUNK, Scorer, Scores
from grok_app.engine.slots import MOST_STEPS, Made
from grok_app.engine.tokenizer import Tokenizer
from grok_app.errors import ContextExceeded, EngineFailed, RequestError
from grok_app.model import parameters

_AHEAD = 1  # dispatches whose results wait while the next one is prepared
_TURN = 0.02  # seconds of decoding that may be dispatched at once
_LOSS_SECONDS = 5.0  # in which a lost process is noticed, whose absence made a step fail
_SPEED_WINDOW = 5.0  # seconds over which the speed is measured


@dataclass(frozen=True)
class Stats:
    """What the engine is doing.

    Attributes:
        waiting, running: requests in the line and in slots.
        tokens_per_second: made for all together in the last seconds.
        cached: tokens that the slots hold, of `slots` times `context`.
    """

    waiting: int
    running: int
    tokens_per_second: float
    cached: int


@dataclass(frozen=True)
class _Dispatch:
    """Work given to the device, and who gets which row of it.

    Attributes:
        made: what it makes.
        owners: (row, request, how many of its tokens are there, whether the last one is).
        steps: of decoding; 0 if it is chunks of prompts.
    """

    made: Made
    owners: list[tuple[int, Request, int, bool]]
    steps: int


class Engine:
    """A loaded model that serves many at once; made by `grok_app.load`."""

    def __init__(
        self,
        runner: Runner,
        tokenizer: Tokenizer | None,
        name: str,
        fingerprint: str,
        context: int,
        queue: int,
        plan: MemoryPlan,
        leader: Leader | None = None,
    ):
        """Compiles the model and starts the thread.

        `plan` is what memory was expected to do; `leader` leads the other processes, if any.
        """
        self.name, self.fingerprint = name, fingerprint
        self.tokenizer, self.context = tokenizer, context
        self.config = runner.config
        self.parameters = parameters.count(runner.config)
        self.active_parameters = parameters.count_active(runner.config)
        self.slots, self.queue = runner.shards * runner.per_shard, queue
        self.scored_texts = plan.scored_texts
        self.device = _describe(runner)
        self.metrics = Metrics()
        self._runner, self._plan = runner, plan
        self._scheduler = Scheduler(
            self.slots, queue, CHUNKS, runner.shards, runner.saved_per_shard
        )
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake = threading.Condition()
        self._failure: EngineFailed | None = None
        self._closing = False
        self._made_at: deque[tuple[float, int]] = deque(maxlen=1024)
        self._pace = Pace()
        self._scorers: dict[int, Scorer] = {}
        self._scorer_lock = threading.Lock()
        self._leader = leader
        if leader:
            runner.announce, leader.on_lost = leader.send, self._lose
        runner.warm_up()
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._thread.start()

    def generate(self, prompt: str | Sequence[int], **settings: Any) -> Generation:
        """Begins a reply to a prompt of text or token ids.

        Returns at once; iterate over the result for its pieces. `settings` are those of
        `SamplingParams`. The reply ends at a stop string, at the end-of-text token, after
        `max_tokens`, or where the context is full.

        Raises:
            RequestError: a setting is unknown or out of range, or the prompt is empty or too long.
            EngineBusy: the queue is full.
            EngineFailed: the engine serves no more.
        """
        try:
            params = SamplingParams(**settings)
        except TypeError as error:
            known = ", ".join(SamplingParams.__dataclass_fields__)
            raise RequestError(f"{error}; settings are {known}") from None
        ids = self.encode(prompt)
        if len(ids) >= self.context:
            raise ContextExceeded(
                f"the prompt has {len(ids)} tokens; this engine's context is {self.context}, "
                "and a reply needs room too: shorten it"
            )
        if params.stop and self.tokenizer is None:
            raise RequestError("stop strings need a tokenizer, and this checkpoint has none")
        request = Request(ids, params, room=min(params.max_tokens, self.context - len(ids)))
        with self._wake:
            self._check_alive()
            self._scheduler.add(request)
            self._wake.notify()
        return Generation(request, self.tokenizer, self._place_of, self._cancel)

    def encode(self, prompt: str | Sequence[int]) -> list[int]:
        """The token ids of a prompt, of text or of token ids.

        Raises:
            RequestError: there are none, one is no token, or the text cannot be read.
        """
        if isinstance(prompt, str):
            if self.tokenizer is None:
                raise RequestError(
                    "this checkpoint has no tokenizer.model: give the prompt as token ids"
                )
            prompt = self.tokenizer.encode(prompt)
        return self._check_ids(prompt)

    def logits(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """The model's float32 logits [batch, length, vocabulary] for rows of token ids.

        Shorter rows are padded at their end; what stands there means nothing.

        Raises:
            RequestError: a row is empty, too long, or holds what is no token.
            EngineFailed: the engine serves no more.
        """
        if not len(rows):
            raise RequestError("logits of no rows; expected at least one row of token ids")
        checked = [self._check_ids(row) for row in rows]
        longest = max(map(len, checked))
        if longest > self.config.sequence_len:
            raise ContextExceeded(
                f"a row has {longest} tokens; the model's context is {self.config.sequence_len}"
            )
        return self._call(lambda: self._runner.logits(checked))

    def score(self, ids: Sequence[int]) -> Iterator[Scores]:
        """How likely each token of a text is but the first: [tokens], a chunk at a time.

        Raises:
            RequestError, EngineFailed: as `score_all`.
        """
        left = len(ids) - 1
        for scores in self.score_all([ids]):
            yield jax.tree.map(lambda array: array[0, :left], scores)  # noqa: B023
            left -= CHUNK

    def score_all(self, texts: Sequence[Sequence[int]]) -> Iterator[Scores]:
        """How likely each token of some texts is but the first, in arrays of the host [texts,
        CHUNK]: a chunk of all at a time, so that long texts hold nobody up and who leaves the
        iteration ends it. Past the end of a text a score means nothing. At most `scored_texts`.

        The first call, and the first with several texts, compiles the program for it, in the
        caller's thread.

        Raises:
            RequestError: there are no texts or too many, one is empty, too long, or holds
                what is no token, or several processes serve together: they follow one another in
                replies only.
            EngineFailed: the engine serves no more.
        """
        most = self.scored_texts
        if not 1 <= len(texts) <= most:
            raise RequestError(f"{len(texts)} texts to score; expected from 1 to {most}")
        checked = [self._check_ids(ids) for ids in texts]
        longest = max(map(len, checked))
        if longest > self.context:
            raise ContextExceeded(
                f"the text has {longest} tokens; this engine's context is {self.context}"
            )
        if self._leader:
            raise RequestError(
                "a text cannot be scored where several processes serve together, for each would "
                "need the text's own cache; serve with one process to score texts"
            )
        scorer = self._scorer_of(1 if len(texts) == 1 else most)
        cache = self._call(scorer.empty_cache)
        for start in range(0, longest - 1, CHUNK):
            cache, scores = self._call(partial(scorer.score, cache, checked, start))
            yield jax.tree.map(lambda array: np.asarray(array)[: len(texts)], scores)

    def stats(self) -> Stats:
        """What the engine is doing now."""
        since = time.monotonic() - _SPEED_WINDOW
        recent = [(at, count) for at, count in list(self._made_at) if at >= since]
        seconds = time.monotonic() - recent[0][0] if recent else 0.0
        speed = sum(count for _, count in recent[1:]) / seconds if seconds > 0 else 0.0
        with self._wake:
            running = self._scheduler.running()
            cached = sum(request.prefilled + request.dispatched for request in running)
            return Stats(len(self._scheduler.waiting), len(running), speed, cached)

    @property
    def failure(self) -> EngineFailed | None:
        """Why the engine serves no more; None while it does."""
        return self._failure

    def close(self) -> None:
        """Ends the thread; whoever still waits gets `EngineFailed`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    # Called by callers' threads.

    def _check_ids(self, ids: Sequence[int]) -> list[int]:
        if not len(ids):
            raise RequestError("the prompt is empty; expected at least one token")
        for token in ids:
            whole = isinstance(token, (int, np.integer)) and not isinstance(token, bool)
            if not whole or not 0 <= token < self.config.vocab_size:
                raise RequestError(
                    f"{token!r} is no token id; expected whole numbers from 0 to "
                    f"{self.config.vocab_size - 1}"
                )
        return [int(token) for token in ids]

    def _check_alive(self) -> None:
        if self._failure:
            raise EngineFailed(str(self._failure)) from self._failure
        if self._closing:
            raise EngineFailed("the engine is closed")

    def _call(self, job: Callable[[], Any]) -> Any:
        """What `job` returns, when the engine's thread has run it."""
        future: Future[Any] = Future()
        with self._wake:
            self._check_alive()
            self._jobs.append((job, future))
            self._wake.notify()
        return future.result()

    def _scorer_of(self, rows: int) -> Scorer:
        with self._scorer_lock:
            if rows not in self._scorers:
                self._scorers[rows] = Scorer(self._runner, rows)
            return self._scorers[rows]

    def _place_of(self, request: Request) -> int:
        with self._wake:
            return self._scheduler.place(request)

    def _cancel(self, request: Request) -> None:
        request.cancelled.set()
        with self._wake:
            self._wake.notify()

    # The engine's thread.

    def _serve(self) -> None:
        in_flight: deque[_Dispatch] = deque()
        try:
            while work := self._next(idle=not in_flight):
                plan, jobs = work
                for job, future in jobs:
                    self._run(job, future)
                if jobs or not in_flight:
                    self._pace.begin()
                dispatched = self._dispatch(plan)
                in_flight.extend(dispatched)
                while len(in_flight) > (_AHEAD if dispatched else 0):
                    self._hand_over(in_flight.popleft())
            reason = EngineFailed("the engine was closed before the reply was complete")
        except Exception as error:  # whatever it is, everybody who waits must hear of it
            lost = self._leader.why_lost(_LOSS_SECONDS) if self._leader else ""
            why = out_of_memory(error, self._plan) or f"{type(error).__name__}: {error}"
            reason = EngineFailed(lost or f"the engine has stopped: {why}")
            reason.__cause__ = error
        self._end(reason)
        if self._leader:
            self._leader.close("" if self._closing else str(reason))

    def _next(self, idle: bool) -> tuple[Plan, list[tuple[Callable[[], Any], Future[Any]]]] | None:
        """Waits for something to do, unless results are in flight; None when the engine closes.

        What has been taken here is done: a job that was dropped would leave its caller waiting.
        """
        with self._wake:
            while not self._closing:
                for request in self._scheduler.sweep():
                    self.metrics.left(request)
                    request.end()
                plan = self._scheduler.plan(min(MOST_STEPS, self._pace.steps(_TURN)))
                jobs = list(self._jobs)
                self._jobs.clear()
                if plan.chunks or plan.decode or jobs or not idle:
                    return plan, jobs
                self._wake.wait()
        return None

    def _dispatch(self, plan: Plan) -> list[_Dispatch]:
        """Gives a plan to the device and does not wait for it."""
        dispatched = []
        self._runner.copy(plan.copies)
        if plan.decode:
            made = self._runner.decode(list(plan.decode), plan.steps)
            owners = [
                (slot, r, count, r.dispatched == r.room) for slot, (r, count) in plan.decode.items()
            ]
            dispatched.append(_Dispatch(made, owners, plan.steps))
        if plan.chunks:
            made = self._runner.feed(plan.chunks)
            owners = [
                (chunk.slot // self._runner.per_shard, chunk.request, 1, chunk.request.room == 1)
                for chunk in plan.chunks
                if chunk.final
            ]
            dispatched.append(_Dispatch(made, owners, steps=0))
        return dispatched

    def _hand_over(self, dispatch: _Dispatch) -> None:
        """Waits for a dispatch and gives its tokens to those who asked."""
        made = jax.device_get(dispatch.made)
        now = time.monotonic()
        self._pace.completed(dispatch.steps)
        delivered = 0
        for row, request, count, last in dispatch.owners:
            if request.gone:
                continue
            tokens = self._tokens(made, row, request.params, count, last)
            request.deliver(tokens)
            self.metrics.delivered(request, len(tokens), now)
            delivered += len(tokens)
        if delivered:
            self._made_at.append((now, delivered))

    def _tokens(
        self, made: Made, row: int, params: SamplingParams, count: int, last: bool
    ) -> list[Token]:
        """The first `count` tokens of a row of what was made, or fewer where the text ends."""
        sampled, tokens = made.sampled, list[Token]()
        ids, logprobs = (a[:count, row].tolist() for a in (sampled.token, sampled.logprob))
        for step, (token, logprob) in enumerate(zip(ids, logprobs, strict=True)):
            ended = token == self.config.eos_token
            reason: FinishReason | None = (
                "stop" if ended else "length" if last and step == count - 1 else None
            )
            top = _likeliest(sampled, (step, row), params.logprobs) if params.logprobs else ()
            experts = made.experts[step, :, row] if params.experts else None
            tokens.append(Token(token, logprob, top, experts, reason))
            if ended:
                break
        return tokens

    def _run(self, job: Callable[[], Any], future: Future[Any]) -> None:
        try:
            future.set_result(job())
        except Exception as error:  # a caller's job must not end the engine
            words = out_of_memory(error, self._plan)
            future.set_exception(RequestError(f"this takes too much: {words}") if words else error)

    def _lose(self, reason: str) -> None:
        """Tells whoever waits that another process is gone; this thread may wait for it itself."""
        self._end(EngineFailed(reason))

    def _end(self, reason: EngineFailed) -> None:
        with self._wake:
            self._failure = self._failure or reason
            for request in (*self._scheduler.waiting, *self._scheduler.running()):
                request.end(reason)
            for request in self._scheduler.sweep():  # nobody waits or runs in an engine that ended
                self.metrics.left(request)
            while self._jobs:
                self._jobs.popleft()[1].set_exception(EngineFailed(str(reason)))


def _likeliest(sampled: Sampled, at: tuple[int, int], count: int) -> tuple[tuple[int, float], ...]:
    """The (id, logprob) of the likeliest tokens of a step and row."""
    top, top_logprob = sampled.top[at][:count], sampled.top_logprob[at][:count]
    return tuple(zip(top.tolist(), top_logprob.tolist(), strict=True))


def _describe(runner: Runner) -> str:
    devices = runner.mesh.devices
    kind = devices.flat[0].device_kind
    many = f"{devices.size} {kind} devices, mesh {devices.shape[0]},{devices.shape[1]}"
    return f"{many if devices.size > 1 else kind}, {runner.dtype}"

"""The thread that owns the device and serves everybody.

A turn of its loop is: take out who left, plan, dispatch, and only then hand over what an earlier
dispatch made. So the device has the next step before the host looks at the last one's tokens.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import jax

from grok_app.checkpoint.plan import MemoryPlan
from grok_app.engine.channel import Leader
from grok_app.engine.memory import out_of_memory
from grok_app.engine.metrics import Metrics
from grok_app.engine.pace import Pace
from grok_app.engine.request import FinishReason, Request, SamplingParams, Token
from grok_app.engine.runner import Runner
from grok_app.engine.sampler import Sampled
from grok_app.engine.scheduler import Plan, Scheduler
from grok_app.engine.slots import MOST_STEPS, Made
from grok_app.errors import EngineEnding, EngineFailed, RequestError

_AHEAD = 1  # dispatches whose results wait while the next one is prepared
_TURN = 0.02  # seconds of decoding that may be dispatched at once
_LOSS_SECONDS = 5.0  # in which a lost process is noticed, whose absence made a step fail
_SPEED_WINDOW = 5.0  # seconds over which the speed is measured


@dataclass(frozen=True)
class Stats:
    """What the engine is doing.

    Attributes:
        waiting, running: requests in the queue and in slots.
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


class Loop:
    """Serves requests, and runs jobs between their steps, in a thread of its own.

    Attributes:
        config: of the model.
        metrics: what it has done so far.
    """

    def __init__(self, runner: Runner, queue: int, plan: MemoryPlan, leader: Leader | None = None):
        """Compiles the model and starts the thread; `queue` requests may wait.

        `plan` is what memory was expected to do; `leader` leads the other processes, if any.
        """
        self.config, self.metrics = runner.config, Metrics()
        self._runner, self._plan, self._leader = runner, plan, leader
        slots = runner.shards * runner.per_shard
        self._scheduler = Scheduler(
            slots, queue, runner.chunks, runner.shards, runner.saved_per_shard
        )
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake = threading.Condition()
        self._failure: EngineFailed | None = None
        self._draining = self._closing = False
        self._made_at: deque[tuple[float, int]] = deque(maxlen=1024)
        self._pace = Pace()
        if leader:
            runner.announce, leader.on_lost = leader.send, self._lose
        runner.warm_up()
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._thread.start()

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

    @property
    def draining(self) -> bool:
        """Whether it takes no new requests any more."""
        return self._draining

    def drain(self) -> None:
        """Takes no new requests from now on; those that it has go on to their end."""
        with self._wake:
            self._draining = True

    def close(self) -> None:
        """Ends the thread; those who still wait get `EngineFailed`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    # Called by callers' threads.

    def _submit(self, request: Request) -> None:
        with self._wake:
            self._check_open()
            self._scheduler.add(request)
            self._wake.notify()

    def _check_open(self) -> None:
        """Raises where nothing new is begun."""
        self._check_alive()
        if self._draining:
            raise EngineEnding("this server is about to end; send it again in a moment")

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

    def _place_of(self, request: Request) -> int:
        with self._wake:
            return self._scheduler.place(request)

    def _cancel(self, request: Request) -> None:
        request.cancelled.set()
        with self._wake:
            self._wake.notify()

    # The loop's thread.

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
            params = {slot: request.params for slot, (request, _) in plan.decode.items()}
            made = self._runner.decode(params, plan.steps)
            owners = [
                (slot, r, count, r.dispatched == r.max_new_tokens)
                for slot, (r, count) in plan.decode.items()
            ]
            dispatched.append(_Dispatch(made, owners, plan.steps))
        if plan.chunks:
            made = self._runner.prefill(plan.chunks)
            owners = [
                (
                    chunk.slot // self._runner.per_shard,
                    chunk.request,
                    1,
                    chunk.request.max_new_tokens == 1,
                )
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
            future.set_exception(
                RequestError("this takes too much memory: {why}", why=words) if words else error
            )

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

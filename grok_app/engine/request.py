"""What a caller asks of the engine, and what it gets."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from grok_app.errors import EngineFailed, RequestError
from grok_app.interventions import Intervention
from grok_app.sampling import LONGEST_STOP, MOST_STOPS, Sampling, check

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class SamplingParams(Sampling):
    """How the next token is chosen and when a reply ends: the model as it is, unless told else.

    Attributes:
        stop: texts that end the reply and are not part of it.
        seed: the same seed, prompt and settings give the same reply on the same machine, if it
            is a CPU or rounds a product alike for any number of rows; None draws one for each
            reply.
        logprobs: how many of the likeliest tokens to report with each token.
        experts: whether to report which experts made each token.
        interventions: changes of the experts that its tokens go to.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    max_tokens: int = 256
    stop: Sequence[str] = ()
    seed: int | None = None
    logprobs: int = 0
    experts: bool = False
    interventions: tuple[Intervention, ...] = ()

    def __post_init__(self) -> None:
        """Raises RequestError where a setting is out of its bounds."""
        super().__post_init__()
        check("logprobs", self.logprobs)
        if self.seed is not None:
            check("seed", self.seed)
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if not all(isinstance(text, str) and text for text in stop):
            raise RequestError(
                "{field} is {given!r}; expected texts, none of them empty",
                field="stop",
                given=self.stop,
            )
        if len(stop) > MOST_STOPS or any(len(text) > LONGEST_STOP for text in stop):
            raise RequestError(
                "{field} has {count} texts; expected at most {most}, each of at most {longest} "
                "characters",
                field="stop",
                count=len(stop),
                most=MOST_STOPS,
                longest=LONGEST_STOP,
            )
        object.__setattr__(self, "stop", stop)
        object.__setattr__(self, "interventions", tuple(self.interventions))


class Token(NamedTuple):
    """One token of a reply, as the engine's thread gives it.

    Attributes:
        id: its number in the vocabulary.
        logprob: of the model's own distribution, before any sampling setting.
        top: the likeliest (id, logprob) pairs, where asked for.
        experts: uint8 [layers, chosen] of the pass that made the token, where asked for.
        finish_reason: "stop" at the end-of-text token, "length" at the last token there is room
            for, None before.
    """

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...]
    experts: Any
    finish_reason: FinishReason | None


@dataclass(eq=False)
class Request:
    """One reply in the making. The scheduler and the engine's thread own all but `cancelled`,
    `stopped` and `on_output`, which are its caller's."""

    prompt: Sequence[int]
    params: SamplingParams
    max_new_tokens: int  # tokens the reply may have: what is asked for, as far as there is room
    admitted: int = 0  # its place in the order in which requests got their slots
    cached_tokens: int = 0  # prompt tokens whose keys and values were in the cache already
    prefilled: int = 0  # prompt tokens that were cached, or whose prefill has been dispatched
    dispatched: int = 0  # reply tokens whose making has been dispatched
    delivered: int = 0  # reply tokens handed over
    moved: float = field(default_factory=time.monotonic)  # when it arrived, or its newest token
    cancelled: threading.Event = field(default_factory=threading.Event)
    stopped: bool = False  # cancelled because a stop string has appeared
    on_output: Callable[[], None] | None = None  # called after each output, must not raise
    finished: bool = False
    finish_reason: FinishReason | None = None  # of its last token
    output: queue.SimpleQueue[Sequence[Token] | EngineFailed | None] = field(
        default_factory=queue.SimpleQueue
    )  # tokens that were made together come together: each put wakes a caller, which takes long

    @property
    def gone(self) -> bool:
        """Whether nothing more is to be made for it."""
        return self.finished or self.cancelled.is_set()

    def deliver(self, tokens: Sequence[Token]) -> None:
        """Hands tokens to the caller; the request is finished where the last one says so."""
        self.delivered += len(tokens)
        self.finish_reason = tokens[-1].finish_reason
        self.finished = self.finish_reason is not None
        self._put(tokens)

    def end(self, reason: EngineFailed | None = None) -> None:
        """Ends the caller's waiting: cancelled, or failed for a reason."""
        if not self.finished:
            self.finished = True
            self._put(reason)

    def _put(self, output: Sequence[Token] | EngineFailed | None) -> None:
        self.output.put(output)
        if self.on_output:
            self.on_output()

"""What a caller asks of the engine, and what it gets."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from grok_app.errors import EngineFailed, RequestError

MOST_LOGPROBS = 20
MOST_STOPS = 64  # every token is looked at for each
LONGEST_STOP = 1000  # characters
_LARGEST_SEED = 2**32 - 1

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class SamplingParams:
    """How the next token is chosen and when a reply ends.

    Attributes:
        max_tokens: most tokens of a reply.
        temperature: 0 takes the likeliest token; 1 samples the model as it is.
        top_p: keep the likeliest tokens that together have this probability; 1 keeps all.
        top_k: keep this many of the likeliest tokens; 0 keeps all.
        min_p: keep tokens at least this fraction as likely as the likeliest; 0 keeps all.
        repetition_penalty: divides the scores of tokens already in the context; 1 does nothing.
        stop: texts that end the reply and are not part of it.
        seed: the same seed, prompt and settings give the same reply on the same machine, if it
            is a CPU or rounds a product alike for any number of rows; None draws one.
        logprobs: how many of the likeliest tokens to report with each token.
        experts: whether to report which experts spoke.
    """

    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    stop: Sequence[str] = ()
    seed: int | None = None
    logprobs: int = 0
    experts: bool = False

    def __post_init__(self) -> None:
        _check_whole("max_tokens", self.max_tokens, 1, 2**31 - 1)
        _check_number("temperature", self.temperature, 0.0, 100.0)
        _check_number("top_p", self.top_p, 0.0, 1.0)
        _check_whole("top_k", self.top_k, 0, 2**31 - 1)
        _check_number("min_p", self.min_p, 0.0, 1.0)
        _check_number("repetition_penalty", self.repetition_penalty, 0.01, 100.0)
        _check_whole("logprobs", self.logprobs, 0, MOST_LOGPROBS)
        if self.seed is None:
            object.__setattr__(self, "seed", secrets.randbelow(_LARGEST_SEED + 1))
        _check_whole("seed", self.seed, 0, _LARGEST_SEED)
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if not all(isinstance(text, str) and text for text in stop):
            raise RequestError(f"stop is {self.stop!r}; expected texts, none of them empty")
        if len(stop) > MOST_STOPS or any(len(text) > LONGEST_STOP for text in stop):
            raise RequestError(
                f"stop has {len(stop)} texts; expected at most {MOST_STOPS}, each of at most "
                f"{LONGEST_STOP} characters"
            )
        object.__setattr__(self, "stop", stop)


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RequestError(f"{name} is {value!r}; expected a whole number from {least} to {most}")


def _check_number(name: str, value: Any, least: float, most: float) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        raise RequestError(f"{name} is {value!r}; expected a number from {least:g} to {most:g}")


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
    room: int  # tokens the reply may have
    admitted: int = 0  # its place in the order in which requests got their slots
    known: int = 0  # prompt tokens that needed no pass: their keys and values were there
    prefilled: int = 0  # prompt tokens known, or whose pass has been dispatched
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

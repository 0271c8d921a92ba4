"""One reply on its way from the engine to a reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from grok_app.chat import Persona, Prompt, Sampling, Turn, build_prompt
from grok_app.errors import EngineFailed, RequestError
from grok_app.web.words import Translate

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

_INTERVAL = 1 / 15  # seconds between two updates of a page: more only makes it slower
_PATIENCE = 0.25  # seconds without a token after which the reader is told what is going on


@dataclass(frozen=True)
class Progress:
    """What a reader is shown of a reply so far.

    Attributes:
        text: the reply, never taken back: each text begins with the one before.
        tokens: made so far.
        place: place in the queue; 0 once it runs.
        first: seconds to the first token; None before.
        speed: tokens a second since then; of a short reply, since it was asked for.
        ended: None while it goes on; then "stop", "length" or "stopped", by the reader.
    """

    text: str = ""
    tokens: int = 0
    place: int = 0
    first: float | None = None
    speed: float = 0.0
    ended: str | None = None


class Trace(NamedTuple):
    """A token of a reply, and who made it.

    Attributes:
        text: of the token by itself, also where the reply does not show it.
        experts: uint8 [layers, experts a token].
    """

    text: str
    experts: Any


class Reply:
    """The reply to the last of some turns, being made; where that is a reply, its continuation."""

    def __init__(
        self,
        engine: Engine,
        persona: Persona,
        turns: Sequence[Turn],
        sampling: Sampling,
        seed: int | None = None,
        stop: Sequence[str] = (),
        facts: str = "",
        experts: bool = False,
    ):
        """Builds the prompt and asks the engine at once; `traces` are kept if `experts` is set.

        Raises:
            RequestError: the message is empty or too long, or a setting is out of range.
            EngineBusy: the queue is full.
            EngineFailed: the engine serves no more.
        """
        tokenizer = engine.tokenizer
        if tokenizer is None:
            raise RequestError("this checkpoint has no tokenizer.model, so it cannot chat")
        self.shown = threading.Event()  # set by whoever shows it, when nothing more will come
        self._raw = persona.labels is None
        self._begun = turns[-1].text if turns and turns[-1].role == "assistant" else ""
        self.prompt: Prompt = build_prompt(
            persona,
            turns,
            lambda text: len(tokenizer.encode(text)),
            engine.context,
            sampling.max_tokens,
            facts,
        )
        settings = asdict(replace(sampling, max_tokens=self.prompt.room))
        self._generation = engine.generate(
            self.prompt.text, stop=(*persona.stops, *stop), seed=seed, experts=experts, **settings
        )
        self._tokenizer = tokenizer
        self._started = time.monotonic()
        self._text, self._now = "", Progress()
        self.traces: list[Trace] = []

    @property
    def seed(self) -> int:
        """The seed in use, also where none was given."""
        return self._generation.seed

    def stop(self) -> None:
        """Ends the reply where it is; whoever iterates over it gets what there is."""
        self._generation.close()

    def __iter__(self) -> Iterator[Progress]:
        """The reply as it grows, some 15 times a second; the last one has `ended`.

        Leaving the iteration stops the reply and frees the engine's slot.
        """
        shown = time.monotonic()
        try:
            while self._now.ended is None:
                if not self._take(_PATIENCE):
                    yield self.catch_up()
                    continue
                moment = time.monotonic()
                due = moment - shown >= _INTERVAL or self._now.tokens == 1
                if due and self._now.ended is None:
                    shown = moment
                    yield self._shown()
            yield self._shown()
        finally:
            self.stop()

    def catch_up(self) -> Progress:
        """The reply as far as it is made, at once; for those who watch several.

        Raises:
            EngineFailed: the engine has stopped.
        """
        while self._now.ended is None and self._take(0):
            pass
        waiting = self._now.ended is None and not self._now.tokens
        return replace(self._shown(), place=self._generation.place if waiting else 0)

    def _take(self, seconds: float) -> bool:
        """Takes a token in, waiting so long for it; whether there was one, or the end."""
        try:
            piece = self._generation.take(seconds)
        except StopIteration:
            self._now = replace(self._now, ended="stopped")
            return True
        if piece is None:
            return False
        self._text += piece.text
        if piece.experts is not None:
            alone = self._tokenizer.token_bytes(piece.token_id).decode("utf-8", "replace")
            self.traces.append(Trace(alone, piece.experts))
        elapsed = time.monotonic() - self._started
        self._now = self._after(self._now, elapsed, piece.finish_reason)
        return True

    def _shown(self) -> Progress:
        return replace(self._now, text=self._visible(self._text))

    def _after(self, now: Progress, elapsed: float, ended: str | None) -> Progress:
        """Progress with one token more."""
        first = elapsed if now.first is None else now.first
        since = elapsed - first
        # What came within a moment came in one piece: then the wait for it counts too.
        speed = now.tokens / since if since >= _INTERVAL else (now.tokens + 1) / elapsed
        return replace(now, tokens=now.tokens + 1, place=0, first=first, speed=speed, ended=ended)

    def _visible(self, text: str) -> str:
        """What was begun and what the model wrote, without the spaces between label and reply, and
        with none at its end that might have to be taken back; raw text stays as it is."""
        if self._raw:
            return self._begun + text
        return self._begun.strip() + text.rstrip() if self._begun else text.strip()


def explain(error: Exception, said: Translate) -> str:
    """An error in words for the reader of a page."""
    if isinstance(error, EngineFailed):
        return said(
            "The model has stopped working: {why}. Whoever runs this page has to restart it."
        ).format(why=error)
    text = said(str(error))
    return text[:1].upper() + text[1:] + "."

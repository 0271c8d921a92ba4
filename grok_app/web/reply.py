"""One reply on its way from the engine to a reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from grok_app.chat import Persona, Prompt, Sampling, Turn, build_prompt
from grok_app.errors import EngineFailed, RequestError

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
        speed: tokens a second since then.
        ended: None while it goes on; then "stop", "length" or "stopped", by the reader.
    """

    text: str = ""
    tokens: int = 0
    place: int = 0
    first: float | None = None
    speed: float = 0.0
    ended: str | None = None


class Reply:
    """The reply to the last of some turns, being made."""

    def __init__(
        self,
        engine: Engine,
        persona: Persona,
        turns: Sequence[Turn],
        sampling: Sampling,
        seed: int | None = None,
        stop: Sequence[str] = (),
    ):
        """Builds the prompt and asks the engine at once.

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
        self.prompt: Prompt = build_prompt(
            persona,
            turns,
            lambda text: len(tokenizer.encode(text)),
            engine.context,
            sampling.max_tokens,
        )
        settings = asdict(replace(sampling, max_tokens=self.prompt.room))
        self._generation = engine.generate(
            self.prompt.text, stop=(*persona.stops, *stop), seed=seed, **settings
        )

    def stop(self) -> None:
        """Ends the reply where it is; whoever iterates over it gets what there is."""
        self._generation.close()

    def __iter__(self) -> Iterator[Progress]:
        """The reply as it grows, some 15 times a second; the last one has `ended`.

        Leaving the iteration stops the reply and frees the engine's slot.
        """
        started = shown = time.monotonic()
        text, now = "", Progress()
        try:
            while now.ended is None:
                try:
                    piece = self._generation.take(_PATIENCE)
                except StopIteration:
                    now = replace(now, text=self._visible(text), ended="stopped")
                    break
                moment = time.monotonic()
                if piece is None:
                    yield replace(now, place=self._generation.place)
                    continue
                text += piece.text
                now = self._after(now, moment - started, piece.finish_reason)
                if moment - shown >= _INTERVAL or now.tokens == 1:
                    now, shown = replace(now, text=self._visible(text)), moment
                    if now.ended is None:
                        yield now
            yield replace(now, text=self._visible(text))
        finally:
            self.stop()

    def _after(self, now: Progress, elapsed: float, ended: str | None) -> Progress:
        """Progress with one token more."""
        first = elapsed if now.first is None else now.first
        since = elapsed - first
        speed = now.tokens / since if since > 0 else 0.0
        return replace(now, tokens=now.tokens + 1, place=0, first=first, speed=speed, ended=ended)

    def _visible(self, text: str) -> str:
        """The text without the spaces between label and reply, and with none at its end that
        might have to be taken back; raw text stays as it is."""
        return text if self._raw else text.strip()


def explain(error: Exception) -> str:
    """An error in words for the reader of a page."""
    if isinstance(error, EngineFailed):
        return f"The model has stopped working: {error}. Whoever runs this page has to restart it."
    text = str(error)
    return text[:1].upper() + text[1:] + "."

"""A text going on, token by token: what a reader is told of each."""

from __future__ import annotations

import codecs
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from grok_app.chat.prompt import LONGEST_MESSAGE
from grok_app.errors import GrokError, RequestError
from grok_app.web.controls import read_seed
from grok_app.web.reply import explain
from grok_app.web.words import Translate

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine
    from grok_app.engine.generation import Piece
    from grok_app.engine.tokenizer import Tokenizer

_INTERVAL = 1 / 15  # seconds between two batches: more only makes a page slower
_PATIENCE = 0.25  # seconds without a token after which the reader is told what is going on
_ALTERNATIVES = 5
News = dict[str, Any]
"""One thing to tell, as JSON: a token (see `Spelling.token`), a place in the queue, or the end."""


@dataclass(frozen=True)
class Asked:
    """What is to be continued, as a page asks it.

    Attributes:
        run: the page's number for it, by which it knows the answer.
        text: the text, up to where the ids begin.
        ids: the tokens it ends with. As the model wrote them: encoded anew they could be others.
    """

    run: int
    text: str
    ids: tuple[int, ...]

    @classmethod
    def from_json(cls, asked: str) -> Self:
        """Reads it.

        Raises:
            RequestError: it is something else.
        """
        try:
            value = json.loads(asked)
            run, text, ids = value["run"], value["text"], value["ids"]
            if not (isinstance(run, int) and isinstance(text, str) and isinstance(ids, list)):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise RequestError(
                f"{asked[:80]!r} cannot be continued; expected JSON with a whole number `run`, "
                "a string `text` and a list `ids`"
            ) from None
        return cls(run, text, tuple(ids))


class Spelling:
    """The characters that tokens add to a text, where a token may be a part of one."""

    def __init__(self, tokenizer: Tokenizer, ids: Sequence[int]):
        """`ids` are the tokens that the text ends with."""
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for token in ids:
            self._add(token)

    def token(self, piece: Piece) -> News:
        """The next token: its id, the text it adds, its probability, the likeliest there.

        Each of those is [id, text, name, probability]. The text is empty for the bytes of half a
        character, and None for a control token, which is no text; then the name says what it is.
        """
        top = [
            [token, *self._alternative(token), _probability(logprob)]
            for token, logprob in piece.top_logprobs
        ]
        text = self._add(piece.token_id)
        p = _probability(piece.logprob)
        return {"id": piece.token_id, "text": text, "p": p, "top": top}

    def _add(self, token: int) -> str:
        return self._decoder.decode(self._tokenizer.token_bytes(token))

    def _alternative(self, token: int) -> tuple[str | None, str]:
        """What the token would add, and its name."""
        if not self._tokenizer.token_bytes(token):
            return None, self._tokenizer.name_of(token)
        before = self._decoder.getstate()
        text = self._add(token)
        self._decoder.setstate(before)
        return text, text or self._tokenizer.name_of(token)


class Continuation:
    """The tokens that follow a text, being made."""

    def __init__(self, engine: Engine, asked: Asked, **settings: Any):
        """Asks the engine at once; `settings` are those of `Engine.generate`.

        Raises:
            RequestError: there is no text or too much of it, or a setting is out of range.
            EngineBusy: the queue is full.
            EngineFailed: the engine serves no more.
        """
        if engine.tokenizer is None:
            raise RequestError("this checkpoint has no tokenizer.model, so it cannot read a text")
        if len(asked.text) > LONGEST_MESSAGE:
            raise RequestError(
                f"the text has {len(asked.text):,} characters; at most {LONGEST_MESSAGE:,} can be "
                "read: continue a shorter one"
            )
        prompt = [*(engine.encode(asked.text) if asked.text else ()), *asked.ids]
        if not prompt:
            raise RequestError("there is no text to continue; write how it begins")
        self.tokens = len(prompt)
        """How many tokens there were before."""
        self._generation = engine.generate(prompt, logprobs=_ALTERNATIVES, **settings)
        self._spelling = Spelling(engine.tokenizer, asked.ids)

    @property
    def seed(self) -> int:
        """The seed in use, also where none was given."""
        return self._generation.seed

    def stop(self) -> None:
        """Ends it where it is; whoever iterates over it gets what there is."""
        self._generation.close()

    def __iter__(self) -> Iterator[list[News]]:
        """What is new, some 15 times a second; the last of it has "ended".

        "stop" is where the model ended the text, "length" where there is no more room, "stopped"
        where the reader ended it. Leaving the iteration frees the engine's slot.
        """
        news: list[News] = []
        shown = -math.inf
        try:
            while True:
                try:
                    piece = self._generation.take(_PATIENCE)
                except StopIteration:
                    yield [*news, {"ended": "stopped"}]
                    return
                if piece is None:
                    news.append({"place": self._generation.place})
                elif piece.finish_reason != "stop":  # the token that ends a text is none of it
                    news.append(self._spelling.token(piece))
                if piece and piece.finish_reason:
                    yield [*news, {"ended": piece.finish_reason}]
                    return
                if time.monotonic() - shown >= _INTERVAL:
                    yield news
                    news, shown = [], time.monotonic()
        finally:
            self.stop()


class Continuations:
    """The texts that go on now, one a visit."""

    def __init__(self, engine: Engine):
        """None yet."""
        self._engine = engine
        self._running: dict[str, Continuation] = {}  # by visit

    def answer(
        self,
        visit: str,
        asked: str,
        admit: Callable[[], None],
        said: Translate,
        seed: str,
        **settings: Any,
    ) -> Iterator[str]:
        """Continues what is `asked`, and ends what the visit had asked before.

        `admit` raises a GrokError where the visitor must wait; `said` has the visitor's language.

        An answer has a line of JSON for each thing to tell: the run's number, the seed and the
        context in use, and then the `News`; or what is wrong, in words. It only grows, so that
        Gradio sends no more of it than what is new.
        """
        self.end(visit)
        told = ""
        try:
            wanted = Asked.from_json(asked)
            told = _line({"run": wanted.run})
            admit()
            made = Continuation(self._engine, wanted, seed=read_seed(seed), **settings)
            context = self._engine.context
            told += _line({"seed": made.seed, "used": made.tokens, "context": context})
            for news in self._wanted(visit, made):
                told += "".join(map(_line, news))
                yield told
        except GrokError as error:
            yield told + _line({"error": explain(error, said)})

    def end(self, visit: str) -> None:
        """The visitor has stopped the text, begun another, or is gone."""
        if made := self._running.pop(visit, None):
            made.stop()

    def _wanted(self, visit: str, made: Continuation) -> Iterator[list[News]]:
        """What comes of `made` until the visit has it ended."""
        self._running[visit] = made
        try:
            for news in made:
                if self._running.get(visit) is not made:
                    return
                yield news
        finally:
            made.stop()
            if self._running.get(visit) is made:
                del self._running[visit]


def _line(news: News) -> str:
    return json.dumps(news, ensure_ascii=False) + "\n"


def _probability(logprob: float) -> float:
    return float(f"{math.exp(logprob):.4g}")

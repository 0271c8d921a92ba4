"""A reply as its caller sees it: pieces of text, one a token."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from grok_app.engine.detokenizer import Detokenizer
from grok_app.engine.request import FinishReason, Request, Token
from grok_app.engine.tokenizer import Tokenizer
from grok_app.errors import EngineFailed


class Piece(NamedTuple):
    """What one token adds to a reply.

    Attributes:
        text: what can be shown now; empty while half a character, or what may become a stop
            string, is held back. Empty throughout without a tokenizer.
        token_id: the token.
        data: the bytes it stands for, which may be a part of a character; none for a control
            token, and without a tokenizer.
        logprob: its log-probability under the model's own distribution.
        top_logprobs: the likeliest tokens there, (id, logprob), as many as were asked for.
        finish_reason: None until the last piece; then "stop" or "length".
        experts: uint8 [layers, experts a token], those that made the token, when asked for.
    """

    text: str
    token_id: int
    data: bytes
    logprob: float
    top_logprobs: tuple[tuple[int, float], ...]
    finish_reason: FinishReason | None
    experts: Any = None


class Generation(Iterator[Piece]):
    """An iterator over the pieces of one reply; closing it frees the engine's slot."""

    def __init__(
        self,
        request: Request,
        tokenizer: Tokenizer | None,
        place: Callable[[Request], int],
        cancel: Callable[[Request], None],
    ):
        """Made by `Engine.generate`."""
        self._request, self._tokenizer = request, tokenizer
        self._place, self._cancel = place, cancel
        self._text = Detokenizer(request.params.stop)
        self._ready: deque[Token] = deque()
        self._ended = False

    @property
    def place(self) -> int:
        """Its place in the queue, 1 for the next; 0 once it runs."""
        return self._place(self._request)

    @property
    def cached_tokens(self) -> int:
        """Tokens of the prompt whose keys and values were in the cache already, once it runs."""
        return self._request.cached_tokens

    @property
    def seed(self) -> int:
        """The seed in use, also where none was given."""
        assert self._request.params.seed is not None
        return self._request.params.seed

    def notify(self, listener: Callable[[], None]) -> None:
        """From now on the engine's thread calls `listener` whenever `take(0)` may have something
        new, perhaps several pieces. It must be quick and must not raise. For event loops, which
        cannot wait in `take`."""
        self._request.on_output = listener

    def __next__(self) -> Piece:
        """Waits for the next piece.

        Raises:
            EngineFailed: the engine has stopped.
        """
        piece = self.take()
        assert piece is not None
        return piece

    def take(self, seconds: float | None = None) -> Piece | None:
        """The next piece, or None if it does not come within `seconds`; None waits for ever.

        Raises:
            StopIteration: the reply has ended.
            EngineFailed: the engine has stopped.
        """
        if self._ended:
            raise StopIteration
        if not self._ready:
            try:
                output = self._request.output.get(timeout=seconds)
            except queue.Empty:
                return None
            if output is None or isinstance(output, EngineFailed):
                self._ended = True
                if output is None:
                    raise StopIteration
                raise EngineFailed(str(output)) from output  # others raise the same one's words
            self._ready.extend(output)
        return self._piece(self._ready.popleft())

    def _piece(self, token: Token) -> Piece:
        data = self._tokenizer.token_bytes(token.id) if self._tokenizer else b""
        text = self._text.push(data, final=token.finish_reason is not None)
        reason: FinishReason | None = "stop" if self._text.stopped else token.finish_reason
        if reason:
            self._request.stopped = self._text.stopped
            self.close()
        return Piece(text, token.id, data, token.logprob, token.top, reason, token.experts)

    def close(self) -> None:
        """Cancels what is not made yet. Safe at any time, from any thread, any number of times."""
        self._ended = True
        if not self._request.finished:
            self._cancel(self._request)

    def __enter__(self) -> Generation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

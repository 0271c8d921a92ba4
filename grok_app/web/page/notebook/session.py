"""A text that goes on, token by token, and what else might have stood there. No Gradio in here."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from grok_app.errors import RequestError
from grok_app.replies import Replies, text_wish
from grok_app.web.page.asking import Asking
from grok_app.web.page.seed import read_seed
from grok_app.web.server.limits import Limits, Visitor

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine
    from grok_app.engine.generation import Piece
    from grok_app.engine.tokenizer import Tokenizer

_ALTERNATIVES = 5
_CHARACTER = 4  # tokens that one character may have at most: its bytes in UTF-8


@dataclass(frozen=True)
class Asked:
    """What is to be continued, as the page asks it.

    Attributes:
        id: of the reply, made by the browser.
        text: the text, up to where the ids begin.
        ids: the tokens it ends with. As the model wrote them: encoded anew they could be others.
    """

    id: str
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
            id, text, ids = value["id"], value["text"], value["ids"]
            if not (isinstance(id, str) and isinstance(text, str) and isinstance(ids, list)):
                raise TypeError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise RequestError(
                "{given!r} cannot be continued; expected JSON with texts `id` and `text` and a "
                "list `ids`",
                given=asked[:80],
            ) from None
        return cls(id, text, tuple(ids))


class NotebookSession:
    """The notebooks of all visitors; their texts are in their browsers."""

    def __init__(self, engine: Engine, limits: Limits, replies: Replies):
        self._engine, self._limits, self._replies = engine, limits, replies
        self._asking = Asking(replies, limits)

    async def begin(
        self, visitor: Visitor, wanted: Asked, seed: str, **sampling: Any
    ) -> dict[str, Any]:
        """Continues what is `wanted`; `sampling` are settings of `SamplingParams`, of which the
        length is held to what the visitor may ask for.

        Returns:
            "seed" and the tokens "used" of the "context"; the tokens are fetched by the id.

        Raises:
            GrokError: it cannot be continued, or the visitor must wait.
        """
        from grok_app.engine.request import SamplingParams

        params = self._limits.bounded(
            SamplingParams(**sampling, seed=read_seed(seed), logprobs=_ALTERNATIVES)
        )
        wish = partial(text_wish, self._engine, wanted.text, params, wanted.ids)
        (reply,) = await self._asking.ask(visitor, {wanted.id: wish})
        used, context = len(reply.wish.ids), self._engine.context
        return {"seed": reply.seed, "used": used, "context": context}

    def news(self, id: str, seen: int) -> dict[str, Any]:
        """What is new of a text that goes on; nothing where there is none of that id.

        Returns:
            "tokens", those after the first `seen` (see `Spelling.token`); "seen", what to ask with
            next; "place" in the queue; "ended", see `Reply.ended`.
        """
        reply, tokenizer = self._replies.find(id), self._engine.tokenizer
        if reply is None or reply.wish.prompt or tokenizer is None:  # the second is a chat's
            return {}
        now = reply.progress
        last = len(reply.pieces) - (now.ended == "stop")  # the token that ends a text is none of it
        before = [*reply.wish.ids, *(piece.token_id for piece in reply.pieces[:seen])]
        spelling = Spelling(tokenizer, before[-_CHARACTER:])
        tokens = [spelling.token(piece) for piece in reply.pieces[seen:last]]
        told = {"tokens": tokens, "place": now.place, "ended": now.ended}
        return told | {"seen": [0, len(reply.pieces)]}


class Spelling:
    """The characters that tokens add to a text, where a token may be a part of one."""

    def __init__(self, tokenizer: Tokenizer, ids: Sequence[int]):
        """`ids` are the tokens that the text ends with."""
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._decoder.decode(b"".join(map(tokenizer.token_bytes, ids)))

    def token(self, piece: Piece) -> dict[str, Any]:
        """The next token: its id, the text it adds, its probability, the likeliest there.

        Each of those is [id, text, name, probability]. The text is empty for the bytes of half a
        character, and None for a control token, which is no text; then the name says what it is.
        """
        top = [
            [token, *self._alternative(token), _probability(logprob)]
            for token, logprob in piece.top_logprobs
        ]
        text, p = self._decoder.decode(piece.data), _probability(piece.logprob)
        return {"id": piece.token_id, "text": text, "p": p, "top": top}

    def _alternative(self, token: int) -> tuple[str | None, str]:
        """What the token would add, and its name."""
        data = self._tokenizer.token_bytes(token)
        if not data:
            return None, self._tokenizer.name_of(token)
        before = self._decoder.getstate()
        text = self._decoder.decode(data)
        self._decoder.setstate(before)
        return text, text or self._tokenizer.name_of(token)


def _probability(logprob: float) -> float:
    return float(f"{math.exp(logprob):.4g}")

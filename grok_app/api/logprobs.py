"""Log-probabilities as OpenAI writes them: four lists in a completion, an object a token in a chat.

Both are of the model's own distribution, before any sampling setting.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from grok_app.api.schemas import CompletionLogprobs, TokenLogprob, TopLogprob

if TYPE_CHECKING:
    from grok_app.engine.generation import Piece
    from grok_app.engine.tokenizer import Tokenizer


class Entry(NamedTuple):
    """A token, how likely it was (None where nothing stands before it), and the likeliest there."""

    token: int
    logprob: float | None
    top: Sequence[tuple[int, float]]


def entry(piece: Piece) -> Entry:
    """The entry of a reply's piece."""
    return Entry(piece.token_id, piece.logprob, piece.top_logprobs)


def token_text(tokenizer: Tokenizer | None, token: int) -> str:
    """A token in words: its text; its bytes where they are no whole characters; else its number."""
    return _text_of(token, tokenizer.token_bytes(token) if tokenizer else b"")


def _text_of(token: int, data: bytes) -> str:
    if not data:
        return f"token_id:{token}"
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


class CompletionLog:
    """The lists of one completion, in pieces: offsets go on where the piece before ended."""

    def __init__(self, tokenizer: Tokenizer | None):
        self._tokenizer, self._offset = tokenizer, 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, entries: Iterable[Entry]) -> CompletionLogprobs:
        """The lists of the tokens that follow."""
        lists = CompletionLogprobs(tokens=[], token_logprobs=[], top_logprobs=[], text_offset=[])
        for token, logprob, top in entries:
            text = token_text(self._tokenizer, token)
            lists.tokens.append(text)
            lists.token_logprobs.append(logprob)
            lists.top_logprobs.append(None if logprob is None else self._top(text, logprob, top))
            lists.text_offset.append(self._offset)
            data = self._tokenizer.token_bytes(token) if self._tokenizer else b""
            self._offset += len(self._decoder.decode(data))
        return lists

    def _top(self, text: str, logprob: float, top: Sequence[tuple[int, float]]) -> dict[str, float]:
        """The likeliest and the token itself; of tokens with one text the likelier counts."""
        likeliest: dict[str, float] = {}
        for token, value in top:
            likeliest.setdefault(token_text(self._tokenizer, token), value)
        likeliest.setdefault(text, logprob)
        return likeliest


def extend(lists: CompletionLogprobs, more: CompletionLogprobs) -> None:
    """Adds the lists of the piece that follows."""
    for name, values in more:
        getattr(lists, name).extend(values)


def chat_logprob(tokenizer: Tokenizer | None, piece: Piece) -> TokenLogprob:
    """The object of a reply's token."""
    top = [
        _named(token, tokenizer.token_bytes(token) if tokenizer else b"", logprob)
        for token, logprob in piece.top_logprobs
    ]
    own = _named(piece.token_id, piece.data, piece.logprob)
    return TokenLogprob(**dict(own), top_logprobs=top)


def _named(token: int, data: bytes, logprob: float) -> TopLogprob:
    return TopLogprob(token=_text_of(token, data), logprob=logprob, bytes=list(data))

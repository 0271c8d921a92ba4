"""Text to token ids and back; one token's bytes."""

from __future__ import annotations

import re
from pathlib import Path

import sentencepiece

from grok_app.errors import CheckpointError, RequestError
from grok_app.files import read_whole

_LARGEST = 64 * 2**20  # bytes
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class Tokenizer:
    """A SentencePiece model; no begin-of-text token is added, as the release adds none."""

    def __init__(self, path: Path):
        """Reads the model file.

        Raises:
            CheckpointError: it cannot be read, or is not a SentencePiece model.
        """
        try:
            model = read_whole(path, _LARGEST)
            self._model = sentencepiece.SentencePieceProcessor(model_proto=model)
            self.vocab_size: int = self._model.vocab_size()
            self._bytes = [self._bytes_of(token) for token in range(self.vocab_size)]
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
        except (RuntimeError, UnicodeDecodeError) as error:
            raise CheckpointError(
                f"{path} is not a SentencePiece model, or damaged; copy it again"
            ) from error

    def encode(self, text: str) -> list[int]:
        """The token ids of a text.

        Raises:
            RequestError: the text has characters that are not Unicode (lone surrogates).
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise RequestError(
                "the text is not valid Unicode at character {at}: {what!r}; remove it",
                at=error.start,
                what=text[error.start],
            ) from None
        return list(self._model.encode(text))

    def decode(self, tokens: list[int]) -> str:
        """The text of token ids; bytes that make no character become U+FFFD."""
        return b"".join(map(self.token_bytes, tokens)).decode(errors="replace")

    def token_bytes(self, token: int) -> bytes:
        """The bytes a token stands for: a piece of text, a single byte, or none (control)."""
        return self._bytes[token] if token < self.vocab_size else b""

    def name_of(self, token: int) -> str:
        """A token's name in the model file: for a control token, such as </s>, all there is.

        A model may have more tokens than its tokenizer; their number is their name.
        """
        return self._model.id_to_piece(token) if token < self.vocab_size else f"token_id:{token}"

    def text_of(self, token: int) -> str:
        """A token's text; the name of one that is no text alone, such as </s>, <0xE2> or <0x00>."""
        try:
            text = self.token_bytes(token).decode()
        except UnicodeDecodeError:
            text = ""
        return text if text.strip("\0") else self.name_of(token)

    def _bytes_of(self, token: int) -> bytes:
        model, piece = self._model, self._model.id_to_piece(token)
        if model.is_byte(token) and (match := _BYTE.fullmatch(piece)):
            return bytes([int(match[1], 16)])
        if model.is_control(token) or model.is_unknown(token):
            return b""
        return piece.replace("\u2581", " ").encode()

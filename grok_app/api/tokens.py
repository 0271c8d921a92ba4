"""`POST /tokenize`, `POST /detokenize`, `GET /tokenizer_info`, as vLLM has them.

Programs that must count tokens, such as lm_eval, so need no tokenizer of their own.
"""

from __future__ import annotations

from fastapi import FastAPI

from grok_app.api.schemas import (
    Detokenized,
    DetokenizeRequest,
    TokenizeRequest,
    TokenizerInfo,
    Tokens,
)
from grok_app.api.service import Service


def add_tokens(app: FastAPI, service: Service) -> None:
    """Adds the routes."""

    @app.post("/tokenize", operation_id="tokenize")
    def tokenize(body: TokenizeRequest) -> Tokens:
        """The tokens of a text."""
        if body.model is not None:
            service.persona(body.model)
        tokens = service.tokenizer.encode(body.prompt)
        return Tokens(tokens=tokens, count=len(tokens), max_model_len=service.engine.context)

    @app.post("/detokenize", operation_id="detokenize")
    def detokenize(body: DetokenizeRequest) -> Detokenized:
        """The text of tokens."""
        if body.model is not None:
            service.persona(body.model)
        tokens = service.engine.encode(body.tokens) if body.tokens else []
        return Detokenized(prompt=service.tokenizer.decode(tokens))

    @app.get("/tokenizer_info", operation_id="tokenizer_info")
    async def tokenizer_info() -> TokenizerInfo:
        """What kind of tokenizer it is, and the token at which a text ends."""
        end = service.engine.config.eos_token
        return TokenizerInfo(
            tokenizer_class="SentencePieceProcessor",
            vocab_size=service.tokenizer.vocab_size,
            eos_token=service.tokenizer.name_of(end),
            eos_token_id=end,
        )

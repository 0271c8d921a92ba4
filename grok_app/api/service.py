"""What the routes share: the engine, once it is there, and the personas."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from grok_app.api.errors import ApiError, starting
from grok_app.chat import Persona

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine
    from grok_app.engine.tokenizer import Tokenizer


class Service:
    """The engine as the API sees it: perhaps not there yet, perhaps no more."""

    def __init__(self, personas: Sequence[Persona], patience: float = 60.0):
        """`personas` format the messages of a chat; the first does where none is named. A client
        may take `patience` seconds to read what fills its connection's buffers."""
        self.patience = patience
        self.personas = {persona.slug: persona for persona in personas}
        self.created = int(time.time())
        self._engine: Engine | None = None

    def open(self, engine: Engine) -> None:
        """The model is loaded: requests are served from now on."""
        self._engine = engine

    @property
    def loaded(self) -> Engine | None:
        """The engine, or None while the model is loading."""
        return self._engine

    @property
    def engine(self) -> Engine:
        """The engine.

        Raises:
            ApiError: the model is still loading.
        """
        if self._engine is None:
            raise starting()
        return self._engine

    @property
    def tokenizer(self) -> Tokenizer:
        """The engine's tokenizer.

        Raises:
            ApiError: the model is still loading.
            RequestError: it has none.
        """
        return self.engine.require_tokenizer()

    @property
    def models(self) -> list[str]:
        """The names of what can be asked: the model as it is, and as each persona."""
        name = self.engine.name
        return [name, *(f"{name}:{slug}" for slug in self.personas)]

    def check_model(self, model: str) -> None:
        """Raises ApiError unless `model` is the name of the model as it is."""
        if model != self.engine.name:
            personas = " (a persona speaks in /v1/chat/completions)" if model in self.models else ""
            raise _not_found(model, [self.engine.name], personas)

    def persona(self, model: str) -> Persona:
        """The persona that `model`, NAME or NAME:PERSONA, asks for; ApiError where there is none.

        A name may hold colons itself.
        """
        if model not in self.models:
            raise _not_found(model, self.models)
        slug = model.removeprefix(self.engine.name).removeprefix(":")
        return self.personas[slug] if slug else next(iter(self.personas.values()))


def _not_found(model: str, there_are: list[str], hint: str = "") -> ApiError:
    message = f"there is no model {model!r} here{hint}; there is {', '.join(there_are)}"
    return ApiError(404, message, "model_not_found", "model")

"""`GET /v1/models`: what can be asked."""

from __future__ import annotations

from fastapi import FastAPI

from grok_app.api.schemas import Model, ModelList
from grok_app.api.service import Service


def add_models(app: FastAPI, service: Service) -> None:
    """Adds the routes."""

    def described(name: str) -> Model:
        return Model(id=name, created=service.created, max_model_len=service.engine.context)

    @app.get("/v1/models", operation_id="models")
    async def models() -> ModelList:
        """The model as it is, and as each persona."""
        return ModelList(data=[described(name) for name in service.models])

    @app.get("/v1/models/{model}", operation_id="model")
    async def model(model: str) -> Model:
        """One of them."""
        service.persona(model)
        return described(model)

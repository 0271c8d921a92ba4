"""`GET /health` and `GET /metrics`, for those who keep the app running."""

from __future__ import annotations

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from grok_app.api.metrics import EngineCollector
from grok_app.api.schemas import Health
from grok_app.api.service import Service


def add_operations(app: FastAPI, service: Service) -> None:
    """Adds the routes."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(service))

    @app.head("/health", include_in_schema=False)
    @app.get(
        "/health", operation_id="health", response_model=Health, responses={503: {"model": Health}}
    )
    async def health() -> Response:
        """200 when requests are served; 503 before, when the engine has failed, and when the server
        is about to end."""
        found = _health(service)
        status = 200 if found.status == "ready" else 503
        return JSONResponse(found.model_dump(exclude_none=True), status)

    @app.get(
        "/metrics",
        operation_id="metrics",
        response_class=Response,
        responses={200: {"content": {CONTENT_TYPE_LATEST.partition(";")[0]: {}}}},
    )
    async def metrics() -> Response:
        """The engine's counters in Prometheus's text form."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _health(service: Service) -> Health:
    if service.loaded is None:
        return Health(status="starting")
    if failure := service.loaded.failure:
        return Health(status="failed", reason=str(failure))
    if service.loaded.draining:
        return Health(status="ending")
    return Health(status="ready")

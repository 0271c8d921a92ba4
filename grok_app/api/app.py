"""Puts the routes together: one ASGI app, and which paths are its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

import grok_app
from grok_app.api.access import Access, Guard
from grok_app.api.chat import add_chat
from grok_app.api.completions import add_completions
from grok_app.api.errors import add_error_handlers
from grok_app.api.models import add_models
from grok_app.api.operations import add_operations
from grok_app.api.schemas import ErrorBody
from grok_app.api.service import Service
from grok_app.api.tokens import add_tokens

_ERRORS = {
    400: "a field is wrong, unknown, or asks for more than there is",
    401: "no key, or a wrong one",
    404: "no such model",
    413: "the body is too large",
    429: "every slot and the whole queue are taken",
    503: "the model is loading, or has failed",
}
_DESCRIBED: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": text} for status, text in _ERRORS.items()
}


def build_api(service: Service, access: Access) -> FastAPI:
    """The API; its description is at /v1/openapi.json."""
    middleware = [Middleware(Guard, access=access)]
    if access.origins:
        middleware.insert(0, _cors(access.origins))
    app = FastAPI(
        title="Grok-1 in the browser",
        version=grok_app.__version__,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        middleware=middleware,
        dependencies=[Depends(HTTPBearer(auto_error=False))] if access.keys else [],
        responses=_DESCRIBED,
    )
    add_error_handlers(app)
    add_models(app, service)
    add_completions(app, service)
    add_chat(app, service)
    add_tokens(app, service)
    add_operations(app, service)
    app.openapi = partial(_described, app.openapi)  # type: ignore[method-assign]
    return app


def _described(describe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The API's description, in which /health asks for no key."""
    description = describe()
    description["paths"]["/health"]["get"]["security"] = []
    return description


def roots(app: FastAPI) -> frozenset[str]:
    """The first parts of the API's paths; what lies below them is the API's."""
    paths = [route.path for route in app.routes if isinstance(route, Route)]
    return frozenset(path.split("/")[1] for path in paths)


def _cors(origins: tuple[str, ...]) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],  # programs send some of their own, as OpenAI's X-Stainless-Lang
        max_age=600,
    )

"""What went wrong, as a client of OpenAI's API understands it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from grok_app.api.schemas import UNSUPPORTED
from grok_app.errors import (
    ContextExceeded,
    EngineBusy,
    EngineEnding,
    EngineFailed,
    GrokError,
    RequestError,
)

_RETRY_SECONDS = "2"  # a slot is free again after about a reply
_ADVICE = {  # for what the framework refuses by itself
    400: "send JSON in UTF-8, not compressed and not too deep",
    404: "all there is is described at /v1/openapi.json",
    405: "all there is is described at /v1/openapi.json",
}
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: of HTTP.
        message: for a person.
        code: for a program, as OpenAI names it where it has a name.
        param: the field at fault.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = headers

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {
            "error": {
                "message": self.message,
                "type": _TYPES.get(self.status, kind),
                "param": self.param,
                "code": self.code,
            }
        }

    @property
    def response(self) -> JSONResponse:
        """The whole answer."""
        return JSONResponse(self.body, self.status, headers=self.headers)


def starting() -> ApiError:
    """The model is not there yet."""
    return ApiError(503, "the model is still loading; try again", "starting", None, _retry())


def as_api_error(error: GrokError, param: str | None = None) -> ApiError:
    """One of the package's errors, with its status; `param` is the field that it is about, by
    default the one that it names itself."""
    match error:
        case ContextExceeded():
            return ApiError(400, str(error), "context_length_exceeded", param)
        case RequestError():
            return ApiError(400, str(error), param=param or error.field)
        case EngineEnding():
            return ApiError(503, str(error), "engine_ending", headers=_retry())
        case EngineBusy():
            return ApiError(429, str(error), "engine_busy", headers=_retry())
        case EngineFailed():
            return ApiError(503, str(error), "engine_failed")
    return ApiError(500, str(error))


def _retry() -> dict[str, str]:
    return {"Retry-After": _RETRY_SECONDS}


def add_error_handlers(app: FastAPI) -> None:
    """Gives every error that the routes raise its answer."""

    @app.exception_handler(ApiError)
    async def api_error(request: Request, error: ApiError) -> JSONResponse:
        return error.response

    @app.exception_handler(GrokError)
    async def grok_error(request: Request, error: GrokError) -> JSONResponse:
        return as_api_error(error).response

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{request.method} {request.url.path}: {error.detail}"
        if advice := _ADVICE.get(error.status_code):
            message = f"{message}; {advice}"
        return ApiError(error.status_code, message, headers=error.headers).response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _invalid(error).response

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return ApiError(500, "the server has made a mistake; its log says which").response


def _invalid(error: RequestValidationError) -> ApiError:
    """Names the first field at fault, and all that is expected of it."""
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        return ApiError(400, f"the body is no JSON: {found[0]['ctx']['error']}")
    _, *path = found[0]["loc"]
    if not path:
        return ApiError(400, f"the body: {found[0]['msg']}; send JSON as application/json")
    field, *rest = path
    param, named = str(field), [field, *takewhile(_is_no_type, rest)]
    place = _written(named)
    about = [one for one in found if one["loc"][1 : 1 + len(named)] == tuple(named)]
    for one in about:  # what else was expected in its place does not matter then
        if one["type"] == UNSUPPORTED:
            return ApiError(400, f"{place}: {one['msg']}", "unsupported_parameter", param)
        if one["type"] == "extra_forbidden":
            *within, name = one["loc"][1:]
            unknown = _written([*filter(_is_no_type, within), name])
            return ApiError(400, f"{unknown} is not supported here", "unsupported_parameter", param)
    expected = "; or ".join(dict.fromkeys(one["msg"] for one in about))
    return ApiError(400, f"{place}: {expected}", param=param)


def _is_no_type(part: str | int) -> bool:
    """Where a field may be of several types, the path names the one that was tried."""
    return isinstance(part, int) or (part.isidentifier() and part != "str")


def _written(path: Sequence[str | int]) -> str:
    """As in messages[0].content."""
    field, *rest = path
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    return f"{field}{''.join(parts)}"

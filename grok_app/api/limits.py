"""What one request may ask for, beyond what its schema says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grok_app.api.errors import ApiError
from grok_app.api.schemas import Asked

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

MOST_CHOICES = 64


def check_choices(engine: Engine, n: int, prompts: int = 1) -> None:
    """Raises ApiError for more replies at once than may ever be served together."""
    most, choices = min(MOST_CHOICES, engine.slots + engine.queue), prompts * n
    if choices > most:
        product = f", {prompts} prompts times n = {n}" if prompts > 1 else ""
        message = f"{choices} replies are asked for{product}; at most {most} can be"
        raise ApiError(400, message, param="prompt" if prompts > most else "n")


def check_stream(body: Asked) -> None:
    """Raises ApiError for options of a stream where there is none."""
    if body.stream_options and not body.stream:
        raise ApiError(400, "stream_options without stream: true", param="stream_options")

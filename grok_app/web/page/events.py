"""How the page's events reach the server."""

from __future__ import annotations

import json
from typing import Any

Updates = dict[Any, Any]
"""New values, by component."""


def calls(function: str, *first: object) -> str:
    """The `js` of an event: calls `grok.{function}` with `first` and the event's inputs, once the
    module that provides it has arrived (see `scripts.py`), and gives what it returns."""
    given = "".join(f"{json.dumps(value)}, " for value in first)
    return (
        "async (...inputs) => {"
        f" while (!window.grok?.{function}) await new Promise(done => setTimeout(done, 50));"
        f" return grok.{function}({given}inputs);"
        "}"
    )


QUICK: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
"""Options of every event of the page: answered at once, by one request. Gradio's queue would hold a
connection for each tab, of which a browser has six, and lose the page with it."""

"""What the page tells in a corner, for a few seconds."""

from __future__ import annotations

import json
import time

from grok_app.errors import EngineFailed, UserError
from grok_app.web.page.scripts import scripted
from grok_app.web.page.words import Translate, sentence

_TEMPLATE = '<div class="notice" role="alert" hidden></div>'


class Notice:
    """The corner. Its value is JSON: a `text`, and a number by which it is known to be new."""

    def __init__(self) -> None:
        """Lays it out, empty."""
        self.view = scripted("notice", _TEMPLATE, elem_id="notice")

    def text(self, text: str) -> str:
        """The value that tells `text`."""
        return json.dumps({"number": time.time_ns(), "text": text})

    def error(self, error: Exception, say: Translate) -> str:
        """The value that tells what went wrong."""
        return self.text(explain(error, say))


def explain(error: Exception, say: Translate) -> str:
    """An error in words for the reader of a page."""
    if isinstance(error, EngineFailed):
        return say(
            "The model has stopped working: {why}. Whoever runs this page has to restart it."
        ).format(why=error)
    return sentence(error.message(say) if isinstance(error, UserError) else str(error))

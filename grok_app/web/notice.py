"""What the page tells in a corner, for a few seconds."""

from __future__ import annotations

import html

import gradio as gr

from grok_app.web.reply import explain
from grok_app.web.words import Translate

_SECONDS = 5


def warn(error: Exception, said: Translate) -> None:
    """An error in words of the reader's language.

    Gradio reads a warning as HTML, and an error may quote what a file or a link brought along.
    """
    gr.Warning(html.escape(explain(error, said)), duration=_SECONDS, title=said("Warning"))

"""What the page tells in a corner, for a few seconds."""

from __future__ import annotations

import html

import gradio as gr

from grok_app.web.reply import explain

_SECONDS = 5


def warn(error: Exception) -> None:
    """An error in words. Gradio reads a warning as HTML, and an error may quote what a file or a
    link brought along."""
    gr.Warning(html.escape(explain(error)), duration=_SECONDS)

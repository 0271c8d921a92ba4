"""Keyboard shortcuts, and the dialog that lists them."""

from __future__ import annotations

import gradio as gr

from grok_app.web.page.scripts import scripted

_TEMPLATE = """
<button type="button" class="opener"></button>
<dialog><h2></h2><dl></dl><form method="dialog"><button></button></form></dialog>
"""


def shortcuts() -> gr.HTML:
    """A quiet button that opens the list; the keys work all over the page."""
    return scripted("shortcuts", _TEMPLATE, elem_id="shortcuts")

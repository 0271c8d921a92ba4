"""Keyboard shortcuts, and the dialog that lists them."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

_SCRIPT = Path(__file__).with_suffix(".js")
_TEMPLATE = """
<button type="button" class="opener"></button>
<dialog><h2></h2><dl></dl><form method="dialog"><button></button></form></dialog>
"""


def shortcuts() -> gr.HTML:
    """A quiet button that opens the list; the keys work all over the page."""
    return gr.HTML(
        html_template=_TEMPLATE, js_on_load=_SCRIPT.read_text("utf-8"), elem_id="shortcuts"
    )

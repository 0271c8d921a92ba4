"""Where the browser keeps the visitor's own personas."""

from __future__ import annotations

import gradio as gr

from grok_app.web.page.scripts import scripted

_TEMPLATE = """
<button type="button" class="import"></button>
<input type="file" accept=".toml,application/toml" hidden>
<p class="note" role="status"></p>
<p class="problem" role="alert"></p>
"""


def shelf() -> gr.HTML:
    """The store, with the button that reads a file; its value is what `personas.changed` gives.

    Set to the JSON of a `personas.Change`, it adds that to what it has by then. It triggers
    `select` when the value has changed, by whomever, and `submit` with the `text` of a file to
    import. Unlike `gr.BrowserState` it says so where the browser does not keep it.
    """
    return scripted("shelf", _TEMPLATE, elem_id="shelf")

"""The sidebar of conversations: they live in the visitor's browser, the server keeps none."""

from __future__ import annotations

import gradio as gr

from grok_app.web.page.scripts import scripted

_TEMPLATE = """
<input type="search">
<button type="button" class="fresh"></button>
<p class="problem" role="alert"></p>
<p class="note" role="status"></p>
<ul></ul>
<p class="none"></p>
<div class="tools">
  <button type="button" class="import"></button>
  <button type="button" class="export"></button>
  <button type="button" class="markdown"></button>
  <button type="button" class="all"></button>
  <button type="button" class="replay"></button>
</div>
<input type="file" accept=".json,application/json" multiple hidden>
"""


def conversations() -> gr.HTML:
    """The list; its value is the JSON of the conversation that is open, or nothing.

    It triggers `select` when the visitor has opened another one, and `submit` when a replay was
    opened. IndexedDB holds far more than the few megabytes of `gr.BrowserState`.
    """
    return scripted("conversations", _TEMPLATE, elem_id="conversations")

"""Facts of the visitor's own: pasted, or read from a file by the browser itself.

No file is sent anywhere: its text goes with each message, as if it had been pasted.
"""

from __future__ import annotations

import gradio as gr

from grok_app.web.page.scripts import scripted

_TEMPLATE = """
<label><span></span><input type="file" accept=".txt,.md,.csv,text/plain,text/markdown,text/csv">
</label><p role="status"></p>
"""


class Facts:
    """The components, in a fold."""

    def __init__(self) -> None:
        """Lays them out."""
        with gr.Accordion("Facts of your own", open=False, elem_id="facts"):
            gr.Markdown(
                "What the model should know, and cannot: it knows nothing after October 2023. Of a "
                "long text it is given the passages that match your message best."
            )
            file = scripted("facts", _TEMPLATE)
            self.text = gr.Textbox(
                label="Facts",
                placeholder="Paste a text, or choose a file.",
                lines=4,
                max_lines=12,
                elem_id="facts-text",
            )
            self.taken = gr.Textbox(
                label="Passages that the last reply was given",
                lines=2,
                max_lines=12,
                interactive=False,
                elem_id="facts-taken",
            )
        # In the browser alone: the file's text becomes the box's.
        file.select(None, file, self.text, js="text => text", api_visibility="private")

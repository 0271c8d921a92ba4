"""The notebook: a text that the model continues in place, with the roads it did not take."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from grok_app.web.continuation import Continuations
from grok_app.web.limits import Limits
from grok_app.web.words import language_of

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

_SCRIPT = Path(__file__).with_suffix(".js")
_TEMPLATE = """
<div class="sheet">
  <div class="paper"><div class="tints" aria-hidden="true"></div><textarea></textarea></div>
</div>
<div class="choices" role="group" hidden></div>
<p class="problem" role="alert"></p>
<div class="tools">
  <button type="button" class="go"></button>
  <button type="button" class="undo"></button>
  <button type="button" class="redo"></button>
  <span class="status" role="status"></span>
  <span class="legend"><span class="likely"></span><i></i><span class="unlikely"></span></span>
</div>
"""


class Notebook:
    """The components of the notebook and their events.

    The text lives in the browser. The sheet's value is what the page asks for, `Asked`, and then
    the answer.
    """

    def __init__(self, engine: Engine, limits: Limits):
        """Lays the components out."""
        self._made, self._limits = Continuations(engine), limits
        longest = limits.tokens or 1024
        self._sheet = gr.HTML(
            value="",
            html_template=_TEMPLATE,
            js_on_load=_SCRIPT.read_text("utf-8"),
            elem_id="notebook",
        )
        with gr.Accordion("Settings", open=False, elem_id="notebook-settings"), gr.Row():
            self._temperature = gr.Slider(
                0,
                2,
                value=0.8,
                step=0.05,
                label="Temperature",
                info="0 is always the likeliest word; more is bolder",
                min_width=310,  # two in a line, one on a phone
                elem_id="notebook-temperature",
            )
            self._top_p = gr.Slider(
                0.05,
                1,
                value=0.95,
                step=0.01,
                label="Top-p",
                info="keep the likeliest words that together have this share",
                min_width=310,
                elem_id="notebook-top-p",
            )
            self._longest = gr.Slider(
                1,
                longest,
                value=min(100, longest),
                step=1,
                label="Longest continuation",
                info="in tokens, about 3/4 of a word each",
                min_width=310,
                elem_id="notebook-longest",
            )
            self._seed = gr.Textbox(
                "",  # else it is None as long as the accordion has not been opened
                label="Seed",
                info="the same seed gives the same text; empty: a new one each time",
                min_width=310,
                elem_id="notebook-seed",
            )

    def connect(self, blocks: gr.Blocks) -> None:
        """Says what each event does."""
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        self._sheet.submit(
            self.on_continue,
            [self._sheet, self._temperature, self._top_p, self._longest, self._seed],
            self._sheet,
            # The engine has the queue; and another choice may be made while a text still grows.
            concurrency_limit=None,
            concurrency_id="replies",
            trigger_mode="multiple",
            **hidden,
        )
        self._sheet.stop(self.on_leave, None, None, queue=False, **hidden)
        blocks.unload(self.on_leave)

    def on_continue(
        self,
        request: gr.Request,
        asked: str,
        temperature: float,
        top_p: float,
        longest: int,
        seed: str,
    ) -> Iterator[str]:
        """The text is to go on."""
        yield from self._made.answer(
            request.session_hash or "",
            asked,
            partial(self._limits.admit, request),
            language_of(request),
            temperature=temperature,
            top_p=top_p,
            max_tokens=longest,
            seed=seed,
        )

    def on_leave(self, request: gr.Request) -> None:
        """The visitor has stopped the text or is gone."""
        self._made.end(request.session_hash or "")

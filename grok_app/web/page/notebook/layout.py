"""The notebook: a text that the model continues in place, with the roads it did not take."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from grok_app.errors import GrokError
from grok_app.sampling import Sampling
from grok_app.web.page.chat.controls import seed_box, slider_of
from grok_app.web.page.drafts import Kept
from grok_app.web.page.events import QUICK
from grok_app.web.page.notebook.session import Asked, NotebookSession
from grok_app.web.page.notice import explain
from grok_app.web.page.scripts import scripted
from grok_app.web.page.words import language_of
from grok_app.web.server.limits import visitor_of

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
    the answer; the tokens are fetched by the reply's id (see `follow.py`).
    """

    def __init__(self, session: NotebookSession, most_tokens: int | None):
        """Lays the components out; a continuation of a demo may have `most_tokens`."""
        self._session = session
        plain, length = Sampling(), slider_of("max_tokens", most_tokens)
        self._sheet = scripted("notebook", _TEMPLATE, elem_id="notebook")
        with gr.Accordion("Settings", open=False, elem_id="notebook-settings"), gr.Row():
            self._temperature = gr.Slider(
                **slider_of("temperature"),
                value=plain.temperature,
                min_width=310,  # two in a line, one on a phone
                elem_id="notebook-temperature",
            )
            self._top_p = gr.Slider(
                **slider_of("top_p"),
                value=plain.top_p,
                min_width=310,
                elem_id="notebook-top-p",
            )
            self._longest = gr.Slider(
                **length | {"label": "Longest continuation"},
                value=min(100, length["maximum"]),
                min_width=310,
                elem_id="notebook-longest",
            )
            self._seed = seed_box(
                "the same seed gives the same text; empty: a new one each time",
                min_width=310,
                elem_id="notebook-seed",
            )

    @property
    def _settings(self) -> list[gr.components.Component]:
        return [self._temperature, self._top_p, self._longest, self._seed]

    def kept(self) -> Kept:
        """What a visitor has set, to be there again after a reload; js/notebook.js keeps the
        text."""
        return Kept(shared=self._settings)

    def connect(self) -> None:
        """Says what the event does."""
        # Another choice may be made while a text still grows.
        self._sheet.submit(
            self.on_continue,
            [self._sheet, *self._settings],
            self._sheet,
            trigger_mode="multiple",
            **QUICK,
        )

    async def on_continue(
        self,
        request: gr.Request,
        asked: str,
        temperature: float,
        top_p: float,
        longest: int,
        seed: str,
    ) -> str:
        """The text is to go on."""
        sampling = {"temperature": temperature, "top_p": top_p, "max_tokens": longest}
        answer: dict[str, Any] = {}
        try:
            wanted = Asked.from_json(asked)
            answer["id"] = wanted.id
            answer |= await self._session.begin(visitor_of(request), wanted, seed, **sampling)
        except GrokError as error:
            answer["error"] = explain(error, language_of(request))
        return json.dumps(answer)

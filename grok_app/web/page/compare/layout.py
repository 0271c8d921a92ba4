"""Comparing: one message, several replies side by side; one of them goes into the conversation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from grok_app.chat import Persona
from grok_app.errors import ConversationError, GrokError
from grok_app.web.page.chat.controls import seed_box, slider_of, within_slider
from grok_app.web.page.chat.layout import ChatTab
from grok_app.web.page.choice import Choice
from grok_app.web.page.compare.session import Column, CompareSession, adopted
from grok_app.web.page.drafts import Kept
from grok_app.web.page.events import QUICK, Updates, calls
from grok_app.web.page.notice import Notice
from grok_app.web.page.personas.personas import Choices, Personas
from grok_app.web.page.scripts import scripted
from grok_app.web.page.words import language_of
from grok_app.web.server.limits import visitor_of

_MOST = 4
_FEWEST = 2


class _Column:
    """The components of one reply: who is to give it and how, and what it is."""

    def __init__(self, number: int, choices: Choices, persona: Persona, visible: bool):
        """Lays out the column of that number, set as `persona` wants it."""
        name = f"compare-{number}"
        with gr.Column(visible=visible, min_width=200, elem_classes="compared") as self.box:
            self.persona = Choice(
                choices,
                value=persona.slug,
                label="Persona",
                filterable=False,
                elem_id=f"{name}-persona",
            )
            with gr.Accordion("Settings", open=False):
                sampling, brief = persona.sampling, {"info": None}  # for a column is narrow
                self.temperature = gr.Slider(
                    **slider_of("temperature") | brief,
                    value=sampling.temperature,
                    elem_id=f"{name}-temperature",
                )
                self.top_p = gr.Slider(
                    **slider_of("top_p") | brief, value=sampling.top_p, elem_id=f"{name}-top-p"
                )
                self.seed = seed_box(elem_id=f"{name}-seed")
            self.text = gr.Markdown("", elem_classes="compared-reply")
            self.status = gr.Markdown("", elem_classes="compared-status")
            self.keep = gr.Button("Keep this one", size="sm", interactive=False)

    @property
    def inputs(self) -> list[gr.components.Component]:
        """What a reply is made of, in the order of `Column`."""
        return [self.persona, self.temperature, self.top_p, self.seed]

    @property
    def outputs(self) -> list[gr.components.Component]:
        """What shows a reply; js/compare.js gives the values."""
        return [self.text, self.status, self.keep]


class CompareTab:
    """The components of the tab and their events.

    A message is put to the conversation that is open in the chat, without touching it; the reply
    that is kept is added there. The replies are the browser's, in the value of `compared`: a
    conversation for each column.
    """

    def __init__(self, session: CompareSession, personas: Personas, chat: ChatTab, notice: Notice):
        """Lays the components out."""
        self._session, self._personas = session, personas
        self._chat, self._notice = chat, notice
        choices = personas.choices()
        gr.Markdown("The replies follow the conversation that is open in the chat.")
        self.many = gr.Radio(
            list(range(_FEWEST, _MOST + 1)), value=_FEWEST, label="Columns", elem_id="many"
        )
        with gr.Row(elem_id="columns"):
            self.columns = [
                _Column(k + 1, choices, personas.find(choices[k % len(choices)][1]), k < _FEWEST)
                for k in range(_MOST)
            ]
        self.message = gr.Textbox(
            placeholder="Write a message, to be answered by each column.",
            show_label=False,
            label="Message",
            lines=1,
            max_lines=8,
            submit_btn=True,
            elem_id="compare-message",
        )
        self.compared = scripted("compare", "", elem_id="compared")

    def kept(self) -> Kept:
        """What a visitor has written or set, to be there again after a reload."""
        set_up = [self.many, *(part for column in self.columns for part in column.inputs)]
        return Kept(own=[self.message], shared=set_up)

    def connect(self, tabs: gr.Tabs, own: gr.HTML) -> None:
        """Says what each event does; `tabs` has the chat's as "chat", `own` the visitor's own
        personas."""
        self._tabs, stored = tabs, self._chat.stored
        settings = [part for column in self.columns for part in column.inputs]
        told = self._notice.view
        asked = [self.compared, stored, own, self.many, self.message, *settings]
        self.message.submit(
            self.on_message,
            asked,
            [self.compared, self.message, told],
            js=calls("compare", _MOST, asked.index(self.message)),
            **QUICK,
        ).then(None, None, None, js=calls("compareBegun"), **QUICK)
        drawn = [output for column in self.columns for output in column.outputs]
        draw = calls("compareDrawn", _MOST)
        self.compared.input(None, None, [*drawn, self.message], js=draw, **QUICK)
        self.message.stop(None, None, None, js=calls("compareStop"), **QUICK)
        self.many.change(self.on_many, self.many, [c.box for c in self.columns], **QUICK)
        for number, column in enumerate(self.columns):
            preset = [column.temperature, column.top_p]
            column.persona.input(self.on_persona, [column.persona, own], preset, **QUICK)
            column.keep.click(
                self.on_keep,
                [self.compared, stored, own, self._chat.persona],
                [*self._chat.outputs, tabs],
                js=calls("compareKeep", number),
                **QUICK,
            ).then(None, None, None, js=calls("begin"), **QUICK)
        chosen = [column.persona for column in self.columns]
        for event in (own.select, own.input):
            event(self.on_own, [own, *chosen], chosen, trigger_mode="always_last", **QUICK)

    async def on_message(
        self,
        request: gr.Request,
        ids: str,
        stored: str,
        own: str,
        many: int,
        text: str,
        *settings: Any,
    ) -> Updates:
        """The person has sent a message: all columns answer it at once. `ids` is a list of the
        replies' ids, as JSON."""
        say = language_of(request)
        if not text.strip():
            return {self._notice.view: self._notice.text(say("Write a message first."))}
        columns = list(_columns(settings))[:many]
        try:
            several = await self._session.ask(
                visitor_of(request), json.loads(ids)[:many], stored, text, columns, own
            )
        except GrokError as error:
            return {self._notice.view: self._notice.error(error, say)}
        compared = json.dumps([json.loads(each.to_json()) for each in several])
        return {self.compared: compared, self.message: gr.update(submit_btn=False, stop_btn=True)}

    def on_many(self, many: int) -> list[Any]:
        """More or fewer columns."""
        return [gr.update(visible=k < many) for k in range(_MOST)]

    def on_persona(self, slug: str, own: str) -> list[Any]:
        """Another persona in a column brings its settings."""
        try:
            sampling = self._personas.find(slug, own).sampling
        except GrokError:  # told when a reply of it is asked for
            return [gr.skip(), gr.skip()]
        names = ("temperature", "top_p")
        return [within_slider(name, getattr(sampling, name)) for name in names]

    def on_own(self, own: str, *chosen: str) -> list[Any]:
        """The visitor's own personas are others than before."""
        choices = self._personas.choices(own)
        known = {slug for _, slug in choices}
        first = self._personas.first.slug
        return [
            gr.update(choices=choices, value=slug if slug in known else first) for slug in chosen
        ]

    async def on_keep(
        self, request: gr.Request, kept: str, stored: str, own: str, slug: str
    ) -> Updates:
        """A column's reply becomes the conversation's."""
        try:
            joined = adopted(stored, kept)
        except ConversationError as error:
            return {self._notice.view: self._notice.error(error, language_of(request))}
        shown = await self._chat.on_open(request, joined.to_json(), own, slug)
        return shown | {self._tabs: gr.Tabs(selected="chat")}


def _columns(settings: tuple[Any, ...]) -> Iterator[Column]:
    """The columns as they are set, from the values of all their inputs."""
    each = len(settings) // _MOST
    for k in range(_MOST):
        slug, temperature, top_p, seed = settings[k * each : (k + 1) * each]
        yield Column(slug, temperature, top_p, seed or "")

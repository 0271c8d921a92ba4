"""Comparing: one message, several replies side by side; one of them goes into the conversation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from grok_app.chat import Conversation, Made, Persona
from grok_app.errors import ConversationError, GrokError
from grok_app.web.chat_tab import ChatTab, Updates
from grok_app.web.controls import read_seed
from grok_app.web.experts import count
from grok_app.web.limits import Limits
from grok_app.web.markup import harmless
from grok_app.web.notice import warn
from grok_app.web.personas import Choices, Personas
from grok_app.web.reply import Progress, Reply
from grok_app.web.status import gauges
from grok_app.web.words import language_of

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

_INTERVAL = 1 / 15  # seconds between two updates of the page
_MOST = 4
_FEWEST = 2


class _Column:
    """The components of one reply: who is to give it and how, and what it is."""

    def __init__(self, choices: Choices, persona: Persona, visible: bool):
        """Lays them out, set as `persona` wants them."""
        with gr.Column(visible=visible, min_width=200, elem_classes="compared") as self.box:
            self.persona = gr.Dropdown(
                choices, value=persona.slug, label="Persona", filterable=False
            )
            with gr.Accordion("Settings", open=False):
                self.temperature = gr.Slider(
                    0, 2, value=persona.sampling.temperature, step=0.05, label="Temperature"
                )
                self.top_p = gr.Slider(
                    0.05, 1, value=persona.sampling.top_p, step=0.01, label="Top-p"
                )
                self.seed = gr.Textbox(
                    "",
                    label="Seed",
                    info="the same seed gives the same reply; empty: a new one each time",
                )
            self.text = gr.Markdown("", elem_classes="compared-reply")
            self.status = gr.Markdown("", elem_classes="compared-status")
            self.keep = gr.Button("Keep this one", size="sm", interactive=False)
            # The conversation with this reply, as JSON; like all that was said it is the browser's.
            self.kept = gr.Textbox("", visible=False)

    @property
    def inputs(self) -> list[gr.components.Component]:
        """What a reply is made of: `_Column.made` is given their values."""
        return [self.persona, self.temperature, self.top_p, self.seed]

    @property
    def outputs(self) -> list[gr.components.Component]:
        """What shows a reply."""
        return [self.text, self.status, self.keep, self.kept]


class CompareTab:
    """The components of the tab and their events.

    A message is put to the conversation that is open in the chat, without touching it; the reply
    that is kept is added there.
    """

    def __init__(self, engine: Engine, personas: Personas, chat: ChatTab, limits: Limits):
        """Lays the components out."""
        self._engine, self._personas, self._limits = engine, personas, limits
        self._chat = chat
        self._replies: dict[str, list[Reply]] = {}  # those being made, by visit
        choices = personas.choices()
        gr.Markdown("The replies follow the conversation that is open in the chat.")
        self.many = gr.Radio(
            list(range(_FEWEST, _MOST + 1)), value=_FEWEST, label="Columns", elem_id="many"
        )
        with gr.Row(elem_id="columns"):
            self.columns = [
                _Column(choices, personas.find(choices[k % len(choices)][1]), k < _FEWEST)
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

    def connect(self, blocks: gr.Blocks, tabs: gr.Tabs, own: gr.HTML) -> None:
        """Says what each event does; `tabs` has the chat's as "chat", `own` the visitor's own
        personas."""
        self._tabs = tabs
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        many: dict[str, Any] = {"concurrency_limit": None, "concurrency_id": "replies"}
        quick: dict[str, Any] = {"queue": False, **hidden}
        self.message.submit(
            self.on_message,
            [
                self.message,
                self._chat.talk,
                own,
                self.many,
                *(i for c in self.columns for i in c.inputs),
            ],
            [self.message, *(output for column in self.columns for output in column.outputs)],
            **hidden,
            **many,
        )
        self.message.stop(self.on_stop, None, None, **quick)
        self.many.change(self.on_many, self.many, [c.box for c in self.columns], **quick)
        for column in self.columns:
            preset = [column.temperature, column.top_p]
            column.persona.change(self.on_persona, [column.persona, own], preset, **quick)
            column.keep.click(
                self.on_keep,
                [column.kept, self._chat.talk, own],
                [*self._chat.shown, self._chat.persona, tabs],
                **hidden,
                **many,
            )
        chosen = [column.persona for column in self.columns]
        own.select(
            self.on_own, [own, *chosen], chosen, trigger_mode="always_last", **hidden, **many
        )
        blocks.unload(self.on_leave)

    def on_message(
        self, request: gr.Request, text: str, talk: str, own: str, many: int, *settings: Any
    ) -> Iterator[Updates]:
        """The person has sent a message: all columns answer it at once."""
        if not text.strip():
            gr.Info(language_of(request)("Write a message first."))
            yield {self.message: text}  # without any update Gradio empties all that is shown
            return
        self.on_leave(request)
        each = len(self.columns[0].inputs)
        chosen = [settings[k * each : (k + 1) * each] for k in range(many)]
        try:
            asked = (Conversation.from_json(talk) if talk else Conversation()).said(text)
            several = [self._made(own, *values) for values in chosen]
            self._limits.admit(request, len(several))
            replies = self._begin(asked, several, own)
        except GrokError as error:
            warn(error, language_of(request))
            yield {self.message: text}  # given back: without any update Gradio empties it
            return
        yield from self._streamed(request, asked, several, replies)

    def on_stop(self, request: gr.Request) -> None:
        """The replies are to end where they are."""
        for reply in self._replies.get(request.session_hash or "", ()):
            reply.stop()

    def on_leave(self, request: gr.Request) -> None:
        """The visitor is gone: the engine must not go on for nobody."""
        for reply in self._replies.pop(request.session_hash or "", ()):
            reply.stop()

    def on_many(self, many: int) -> list[Any]:
        """More or fewer columns."""
        return [gr.update(visible=k < many) for k in range(_MOST)]

    def on_persona(self, slug: str, own: str) -> list[Any]:
        """Another persona in a column brings its settings."""
        try:
            sampling = self._personas.find(slug, own).sampling
        except GrokError:  # told when a reply of it is asked for
            return [gr.skip(), gr.skip()]
        return [min(sampling.temperature, 2), max(sampling.top_p, 0.05)]  # as the sliders go

    def on_own(self, own: str, *chosen: str) -> list[Any]:
        """The visitor's own personas are others than before."""
        choices = self._personas.choices(own)
        known = {slug for _, slug in choices}
        first = self._personas.first.slug
        return [
            gr.update(choices=choices, value=slug if slug in known else first) for slug in chosen
        ]

    def on_keep(self, request: gr.Request, kept: str, talk: str, own: str) -> Updates:
        """A column's reply becomes the conversation's."""
        try:
            joined = adopted(self._chat.current(request, talk), Conversation.from_json(kept))
        except ConversationError as error:
            warn(error, language_of(request))
            return {self._tabs: gr.skip()}
        shown = self._chat.on_open(request, joined.to_json(), own)
        return shown | {self._tabs: gr.Tabs(selected="chat")}

    def _made(self, own: str, slug: str, temperature: float, top_p: float, seed: str) -> Made:
        sampling = self._personas.find(slug, own).sampling
        sampling = self._limits.bounded(replace(sampling, temperature=temperature, top_p=top_p))
        return Made(slug, self._engine.fingerprint, read_seed(seed), sampling)

    def _begin(self, asked: Conversation, several: Sequence[Made], own: str) -> list[Reply]:
        """All replies, or none: where one cannot be made, those before it are stopped."""
        replies: list[Reply] = []
        try:
            for made in several:
                persona = self._personas.find(made.persona, own)
                settings = made.sampling, made.seed, made.stop
                replies.append(Reply(self._engine, persona, asked.turns, *settings, experts=True))
        except GrokError:
            for reply in replies:
                reply.stop()
            raise
        return replies

    def _streamed(
        self,
        request: gr.Request,
        asked: Conversation,
        several: Sequence[Made],
        replies: list[Reply],
    ) -> Iterator[Updates]:
        """The replies as they grow, and at last what of them can be kept."""
        visit, said = request.session_hash or "", language_of(request)
        columns = self.columns[: len(replies)]
        self._replies[visit] = replies
        try:  # from here on: whoever leaves closes this where it stands
            yield {self.message: gr.update(submit_btn=False, stop_btn=True)} | {
                column.keep: gr.update(interactive=False) for column in columns
            }
            for progress in _watched(replies):
                if self._replies.get(visit) is not replies:
                    return  # begun anew meanwhile
                yield {c.text: harmless(p.text) for c, p in zip(columns, progress, strict=True)} | {
                    column.status: gauges(self._engine, reply.prompt, now, said)
                    for column, reply, now in zip(columns, replies, progress, strict=True)
                }
            for column, reply, made in zip(columns, replies, several, strict=True):
                counts = count(reply.traces, self._engine.config.num_experts)
                answered = asked.replied(reply.catch_up().text, replace(made, experts=counts))
                yield {
                    column.kept: answered.to_json(),
                    column.keep: gr.update(interactive=answered is not asked),
                }
        except GrokError as error:
            warn(error, language_of(request))
        finally:
            for reply in replies:
                reply.stop()
            if self._replies.get(visit) is replies:
                del self._replies[visit]
        yield {self.message: gr.update(submit_btn=True, stop_btn=False)}


def adopted(talk: Conversation, kept: Conversation) -> Conversation:
    """`talk` with the last message and reply of `kept`, which was `talk` when these were made.

    Raises:
        ConversationError: another conversation is open by now.
    """
    if len(kept.nodes) < 2:
        raise ConversationError("there is no reply yet to be kept")
    *before, asked, replied = kept.nodes
    if not talk.nodes:
        talk = replace(kept, nodes=(), leaf=None)
    if talk.id != kept.id or talk.nodes[: len(before)] != tuple(before):
        raise ConversationError(
            "the chat has another conversation open than the one these replies belong to: "
            "open that one there first"
        )
    same = [
        index
        for index, node in enumerate(talk.nodes)
        if (node.parent, node.role, node.text) == (asked.parent, "user", asked.text)
    ]
    talk = (
        replace(talk, leaf=same[0]) if same else replace(talk, leaf=asked.parent).said(asked.text)
    )
    persona = replied.made.persona if replied.made else talk.persona
    return replace(talk, persona=persona).replied(replied.text, replied.made)


def _watched(replies: Sequence[Reply]) -> Iterator[list[Progress]]:
    """All replies as they grow, side by side; the last time all have ended."""
    while True:
        progress = [reply.catch_up() for reply in replies]
        yield progress
        if all(now.ended for now in progress):
            return
        time.sleep(_INTERVAL)

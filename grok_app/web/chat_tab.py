"""The chat: what is on its tab, and what happens when something is pressed."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from grok_app.chat import Conversation, Made, Persona, Turn
from grok_app.errors import ConversationError, GrokError, PersonaError, RequestError
from grok_app.web.controls import Controls
from grok_app.web.experts import ExpertsPanel, count
from grok_app.web.facts import Facts
from grok_app.web.limits import Limits
from grok_app.web.markup import harmless, original
from grok_app.web.notice import warn
from grok_app.web.personas import Personas
from grok_app.web.reply import Progress, Reply
from grok_app.web.running import RunningReplies
from grok_app.web.status import about, gauges, verdict
from grok_app.web.versions import Versions
from grok_app.web.words import language_of, translated

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

Updates = dict[Any, Any]
"""New values, by component."""


class ChatTab:
    """The components of the chat and their events.

    The conversation's truth is the value of `talk`, JSON that the browser keeps; `chat` shows it.
    So the server may be started anew in the middle of a conversation.
    """

    def __init__(self, engine: Engine, personas: Personas, limits: Limits, talk: gr.HTML):
        """Lays the components out; `talk` has the conversation that is open."""
        self.talk = talk
        self.engine, self.personas, self.limits = engine, personas, limits
        self.running = RunningReplies()
        first = personas.first
        with gr.Row(equal_height=True, elem_id="chat-bar"):
            self.persona = gr.Dropdown(
                personas.choices(),
                value=first.slug,
                label="Persona",
                show_label=False,
                container=False,
                filterable=False,
                min_width=170,
                elem_id="persona",
            )
            self.new = gr.Button("New chat", size="sm", min_width=80, elem_id="new")
        self.chat = gr.Chatbot(
            elem_id="chat",
            show_label=False,
            label="Conversation",
            editable="all",
            buttons=["copy"],
            feedback_options=None,
            latex_delimiters=[],
            allow_tags=False,
            group_consecutive_messages=False,
            allow_file_downloads=False,
            layout="bubble",
            scale=1,
            height=None,
            min_height=220,
            placeholder=_welcome(first),
            examples=_examples(first),
        )
        self.versions = Versions()
        self.message = gr.Textbox(
            placeholder="Write a message. Enter sends, Shift+Enter begins a new line.",
            show_label=False,
            label="Message",
            lines=1,
            max_lines=8,
            autofocus=True,
            submit_btn=True,
            elem_id="message",
        )
        self.status = gr.Markdown("", elem_id="status")
        with gr.Accordion("The exact prompt", open=False, elem_id="prompt"):
            self.prompt = gr.Textbox(
                show_label=False,
                label="The exact prompt",
                placeholder="What the model was given for its last reply stands here.",
                lines=4,
                max_lines=20,
                interactive=False,
                buttons=["copy"],
            )
        with gr.Accordion("Watch the experts", open=False, elem_id="experts-row"):
            self.experts = ExpertsPanel(engine, self.personas)
        with gr.Row(elem_id="about"):
            gr.Markdown(translated(partial(about, engine)))
            gr.Markdown("a base model: it continues text, and makes things up")
        with gr.Sidebar(position="right", open=False, label="Settings", elem_id="settings"):
            gr.Markdown("## Settings")
            self.begin = gr.Textbox(
                label="Begin its reply",
                info="the next reply begins with these words, and the model goes on",
                elem_id="begin",
            )
            self.facts = Facts()
            self.controls = Controls(first, limits)

    @property
    def shown(self) -> list[gr.blocks.Block]:
        """What a conversation is shown with."""
        parts = [self.chat, self.talk, self.message, self.status, self.prompt, self.begin]
        return [*parts, self.facts.taken, self.experts.view, *self.versions.outputs]

    def connect(self, blocks: gr.Blocks, own: gr.HTML) -> None:
        """Says what each event does; `own` has the visitor's own personas."""
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        wishes = [self.begin, self.persona, self.facts.text, *self.controls.inputs, own]
        shown = self.shown
        # The engine has the queue; here everybody who is admitted there may wait.
        many: dict[str, Any] = {"concurrency_limit": None, "concurrency_id": "replies"}
        for event, handler, first in (
            (self.message.submit, self.on_message, [self.message]),
            (self.chat.example_select, self.on_example, []),
            (self.chat.retry, self.on_retry, []),
            (self.chat.edit, self.on_edit, []),
            (self.versions.more.click, self.on_more, []),
        ):
            event(handler, [*first, self.talk, *wishes], shown, **hidden, **many)
        opened = [*shown, self.persona]
        self.talk.select(self.on_open, [self.talk, own], opened, **hidden, **many)
        self.talk.submit(self.on_replay, [self.talk, own], opened, **hidden, **many)
        quick: dict[str, Any] = {"queue": False, **hidden}
        self.message.stop(self.running.stop, None, None, **quick)
        # These go the way of the replies, so that they arrive after what a reply still has to say.
        self.chat.undo(self.on_undo, [self.talk], shown, **hidden, **many)
        gr.on(
            [self.chat.clear, self.new.click],
            self.on_clear,
            [self.persona],
            shown,
            **hidden,
            **many,
        )
        leafed = [self.talk, self.versions.place]
        self.versions.older.click(self.on_older, leafed, shown, **hidden, **many)
        self.versions.newer.click(self.on_newer, leafed, shown, **hidden, **many)
        self.chat.select(self.on_select, [self.talk], self.versions.outputs, **quick)
        self.persona.change(
            self.on_persona,
            [self.persona, own],
            [self.chat, *self.controls.preset],
            **hidden,
            **many,
        )
        # Through the queue too: only so does Gradio remember the new choices as good ones.
        greeted = [self.persona, self.chat, *self.controls.preset]
        own.select(
            self.on_own,
            [self.persona, self.talk, own],
            greeted,
            trigger_mode="always_last",
            **hidden,
            **many,
        )
        blocks.unload(self.running.leave)

    # Events that bring a reply.

    def on_message(
        self, request: gr.Request, text: str, talk: str, *wish: Any
    ) -> Iterator[Updates]:
        """The person has sent a message."""
        if not text.strip():
            gr.Info(language_of(request)("Write a message first."))
            yield {self.message: text}  # without any update Gradio empties all that is shown
            return
        before = self.current(request, talk)
        spent = self.message, self.begin
        yield from self._reply(before.said(text), before, wish, request, *spent)

    def on_example(
        self, request: gr.Request, event: gr.SelectData, talk: str, *wish: Any
    ) -> Iterator[Updates]:
        """A suggested opening was chosen."""
        before = self.current(request, talk)
        yield from self._reply(before.said(event.value["text"]), before, wish, request, self.begin)

    def on_retry(
        self, request: gr.Request, event: gr.RetryData, talk: str, *wish: Any
    ) -> Iterator[Updates]:
        """Another version of the reply is wanted."""
        before = self.current(request, talk)
        place = before.asked(_index(event))
        if place >= 0:
            yield from self._reply(before.upto(place), before, wish, request, self.begin)
        else:
            yield self._shown(request, before)

    def on_edit(
        self, request: gr.Request, event: gr.EditData, talk: str, *wish: Any
    ) -> Iterator[Updates]:
        """A turn was changed, which begins a branch: the person's asks for a new reply."""
        before = self.current(request, talk)
        try:
            changed = before.edited(_index(event), original(str(event.value)))
        except ConversationError as error:
            warn(error, language_of(request))
            changed = before
        if changed is not before and changed.turns[-1].role == "user":
            yield from self._reply(changed, before, wish, request, self.begin)
        else:
            yield self._shown(request, changed)

    def on_more(self, request: gr.Request, talk: str, *wish: Any) -> Iterator[Updates]:
        """The last reply is to go on; a message that has none is to be answered."""
        before = self.current(request, talk)
        if not before.turns:
            yield self._shown(request, before)
        elif before.turns[-1].role == "assistant":
            wish = (before.turns[-1].text, *wish[1:])
            yield from self._reply(before.upto(len(before.path) - 2), before, wish, request)
        else:
            yield from self._reply(before, before, wish, request, self.begin)

    def on_replay(self, request: gr.Request, talk: str, own: str) -> Iterator[Updates]:
        """A conversation that was sent by somebody is made again, reply by reply."""
        self.running.end(request)
        recorded = self._opened(request, talk)
        again = replace(recorded, nodes=(), leaf=None)
        # As it came, until all is made again; the reply that ends now may have put another there.
        came = {self.talk: talk if recorded.nodes else ""}
        yield self._shown(request, again) | came | self._persona_of(recorded, own)
        with suppress(ValueError, PersonaError):  # without them the visitor is told who is missing
            own = self.personas.joined(own, json.loads(talk).get("personas"))
        foreign = differing = 0
        for node in (recorded.nodes[index] for index in recorded.path):
            if node.role == "user":
                again = again.said(node.text)
                continue
            if node.made and node.made.model == self.engine.fingerprint:
                try:
                    made = yield from self._made(again, node.made, own, request, replay=True)
                except GrokError as error:
                    warn(error, language_of(request))
                    yield self._shown(request, recorded) | self._quiet()
                    return
                if made is None:
                    return  # the visitor has gone on to something else
                if made.turns[-1].text == node.text:
                    again = made
                    continue
                differing += 1
            foreign += node.made is not None and node.made.model != self.engine.fingerprint
            again = again.replied(node.text, node.made)
        yield self._shown(request, again) | {
            self.message: _idle(),
            self.status: verdict(foreign, differing, language_of(request)),
        }

    def _reply(
        self,
        talk: Conversation,
        before: Conversation,
        wish: Sequence[Any],
        request: gr.Request,
        *spent: gr.Textbox,
    ) -> Iterator[Updates]:
        """Streams the reply to the leaf of `talk` that the settings `wish` for, which empties the
        boxes of which the text is `spent`. Where there can be none, all is as `before`.
        """
        try:
            made, own = self._wished(wish)
            yield from self._made(replace(talk, persona=made.persona), made, own, request, spent)
        except GrokError as error:
            warn(error, language_of(request))
            yield self._shown(request, before) | {self.message: _idle()}

    def _wished(self, wish: Sequence[Any]) -> tuple[Made, str]:
        """How a reply is to be made, from the values of `wishes`; and the visitor's own personas.

        Raises:
            RequestError: a setting is none that can be used.
        """
        begun, slug, facts, *controls, own = wish
        facts = facts or ""  # a box in a fold that was never opened has no value yet
        sampling, seed, stop = self.controls.read(controls)
        made = Made(slug, self.engine.fingerprint, seed, sampling, tuple(stop), begun, facts)
        return made, own

    def _made(
        self,
        talk: Conversation,
        made: Made,
        own: str,
        request: gr.Request,
        spent: Sequence[gr.Textbox] = (),
        replay: bool = False,
    ) -> Generator[Updates, None, Conversation | None]:
        """Streams a reply made as `made` says, and empties the boxes of which the text is `spent`;
        returns the conversation with it. A `replay` is not kept while it goes on.

        None where the visitor has stopped it, or begun something else. Raises GrokError where
        there can be no reply.
        """
        self.limits.admit(request)
        made = replace(made, sampling=self.limits.bounded(made.sampling))
        begun = (Turn("assistant", made.begun),) if made.begun.strip() else ()
        persona = self.personas.find(made.persona, own)
        turns = (*talk.turns, *begun)
        settings = made.sampling, made.seed, made.stop, made.facts
        reply = Reply(self.engine, persona, turns, *settings, experts=True)
        made = replace(made, facts="\n".join(reply.prompt.facts))
        running = self.running.begin(request, reply, talk)
        said, watch = language_of(request), self.experts.watch(talk, made.persona)
        unkept = {self.talk: gr.skip()} if replay else {}
        now = Progress()
        try:  # from here on: whoever leaves closes this where it stands
            yield self._shown(request, talk, answering=True) | self._asked(reply, spent) | unkept
            for now in self._watched(request, reply):
                counts = count(reply.traces, self.engine.config.num_experts)
                running.talk = talk.replied(now.text, replace(made, experts=counts))
                if not self.running.awaits(request, running):
                    break
                yield {
                    self.chat: _messages(running.talk),
                    self.status: gauges(self.engine, reply.prompt, now, said),
                    self.experts.view: watch.value(reply.traces),
                }
            if not self.running.awaits(request, running):
                if not replay:  # it is kept, though something else is shown
                    yield {self.talk: running.talk.to_json()}
                return None
            stopped = now.ended == "stopped"
            kept = {} if stopped else unkept
            tokens = {self.experts.view: watch.value(reply.traces)}
            yield self._shown(request, running.talk) | kept | tokens | {self.message: _idle()}
            return None if stopped else running.talk
        finally:
            self.running.finish(request, running)

    def _asked(self, reply: Reply, spent: Sequence[gr.Textbox]) -> Updates:
        """What is seen of a reply's settings once it is asked for."""
        emptied: Updates = {box: gr.update(value="") for box in spent}
        answering = gr.update(submit_btn=False, stop_btn=True)
        return emptied | {
            self.message: emptied.get(self.message, {}) | answering,
            self.prompt: reply.prompt.text,
            self.facts.taken: self.facts.shown(reply.prompt),
        }

    def _watched(self, request: gr.Request, reply: Reply) -> Iterator[Progress]:
        """The reply as it grows; where the engine fails it ends there, and the visitor is told."""
        try:
            yield from reply
        except GrokError as error:
            warn(error, language_of(request))

    # Events that do not.

    def on_undo(self, request: gr.Request, event: gr.UndoData, talk: str) -> Updates:
        """The last exchange is taken back, its message to be written anew."""
        before = self.current(request, talk)
        place = before.asked(_index(event))
        if place < 0:
            return self._shown(request, before)
        text = before.turns[place].text
        kept = before.upto(place - 1)
        return self._shown(request, kept) | {self.message: _idle(value=text), self.status: ""}

    def on_clear(self, request: gr.Request, slug: str) -> Updates:
        """A new conversation."""
        self.running.end(request)
        return self._shown(request, Conversation(persona=slug)) | self._quiet()

    def on_open(self, request: gr.Request, talk: str, own: str) -> Updates:
        """Another conversation of the visitor's is shown."""
        opened = self._opened(request, talk)
        opened = opened if opened.path else opened.newest()
        speaker = self._persona_of(opened, own)
        if own and opened.persona and not speaker:  # without, it is not known yet which there are
            self._miss(request, opened.persona, own)
        return self._shown(request, opened) | self._quiet() | speaker

    def on_older(self, request: gr.Request, talk: str, place: int | None) -> Updates:
        """The version before this one is to be seen."""
        return self._leaf(request, talk, place, -1)

    def on_newer(self, request: gr.Request, talk: str, place: int | None) -> Updates:
        """The version after this one is to be seen."""
        return self._leaf(request, talk, place, 1)

    def _leaf(self, request: gr.Request, talk: str, place: int | None, step: int) -> Updates:
        before = self.current(request, talk)
        if not before.path:
            return self._shown(request, before.newest()) | self._quiet()
        if place is None or place >= len(before.path):
            return self._shown(request, before)
        return self._shown(request, before.leafed(place, step), place) | self._quiet()

    def on_select(self, request: gr.Request, event: gr.SelectData, talk: str) -> Updates:
        """A turn was pointed at: its versions can be leafed through."""
        answering = self.running.is_answering(request)
        return self.versions.shown(_read(talk), language_of(request), _index(event), answering)

    def on_persona(self, request: gr.Request, slug: str, own: str) -> list[Any]:
        """Another persona: its welcome, its openings, its settings. The conversation stays."""
        try:
            persona = self.personas.find(slug, own)
        except RequestError as error:
            warn(error, language_of(request))
            return [gr.skip()] * (1 + len(self.controls.preset))
        return [_greeting(persona), *self.controls.preset_of(persona)]

    def on_own(self, request: gr.Request, slug: str, talk: str, own: str) -> Updates:
        """The visitor's own personas are others than before: perhaps they have only now been read,
        after the conversation in which one of them speaks."""
        choices = self.personas.choices(own)
        known, speaker = {each for _, each in choices}, _read(talk).persona
        untouched = slug not in known or slug == self.personas.first.slug
        if untouched and speaker in known and not self.personas.is_shipped(speaker):
            slug = speaker
        elif speaker and speaker not in known:
            self._miss(request, speaker, own)
        if slug not in known:
            slug = self.personas.first.slug
        updates: Updates = {self.persona: gr.update(choices=choices, value=slug)}
        with suppress(RequestError):  # where it is read, that is said
            persona = self.personas.find(slug, own)
            updates[self.chat] = _greeting(persona)
            if not self.personas.is_shipped(slug):  # it may be what has changed
                preset = self.controls.preset
                updates |= zip(preset, self.controls.preset_of(persona), strict=True)
        return updates

    def current(self, request: gr.Request, talk: str) -> Conversation:
        """The conversation that the browser holds, and what a reply that ends now has said of it:
        that was not kept yet when the visitor went on.

        Raises:
            ConversationError: it holds none.
        """
        before, ended = _read(talk), self.running.end(request)
        return before.caught_up(ended) if ended else before

    def _opened(self, request: gr.Request, talk: str) -> Conversation:
        """A conversation from outside; where it is none, the visitor is told and has a new one."""
        try:
            return self.current(request, talk)
        except ConversationError as error:
            warn(error, language_of(request))
            return Conversation()

    def _persona_of(self, talk: Conversation, own: str) -> Updates:
        """Who has spoken in a conversation goes on, if the visitor has that persona."""
        choices = self.personas.choices(own)
        if talk.persona in (slug for _, slug in choices):
            return {self.persona: gr.update(choices=choices, value=talk.persona)}
        return {}

    def _miss(self, request: gr.Request, slug: str, own: str) -> None:
        """Tells the visitor that a persona is not there: whoever is chosen answers now."""
        try:
            self.personas.find(slug, own)
        except RequestError as error:
            warn(error, language_of(request))

    def _shown(
        self,
        request: gr.Request,
        talk: Conversation,
        place: int | None = None,
        answering: bool = False,
    ) -> Updates:
        value = talk.to_json() if talk.nodes else ""
        shown = {self.talk: value, self.chat: _messages(talk)}
        shown[self.experts.view] = self.experts.shown(talk)
        return shown | self.versions.shown(talk, language_of(request), place, answering)

    def _quiet(self) -> Updates:
        """Nothing is being answered, and nothing is said about it."""
        return {self.message: _idle(), self.status: "", self.prompt: ""}


def _read(talk: str) -> Conversation:
    """The conversation that the browser holds; nothing is an empty one."""
    return Conversation.from_json(talk) if talk else Conversation()


def _messages(talk: Conversation) -> list[dict[str, str]]:
    """The branch as the chat shows it."""
    return [{"role": turn.role, "content": harmless(turn.text)} for turn in talk.turns]


def _idle(**changes: Any) -> Any:
    """An update of the message box: nothing is being answered."""
    return gr.update(submit_btn=True, stop_btn=False, **changes)


def _index(event: Any) -> int:
    return event.index if isinstance(event.index, int) else event.index[0]


def _greeting(persona: Persona) -> Any:
    """An update of the chat: what stands there before the first message."""
    return gr.update(placeholder=_welcome(persona), examples=_examples(persona))


def _welcome(persona: Persona) -> str:
    return harmless(f"## {persona.icon} {persona.name}\n\n{persona.description}")


def _examples(persona: Persona) -> list[Any]:
    return [{"text": text} for text in persona.suggestions]

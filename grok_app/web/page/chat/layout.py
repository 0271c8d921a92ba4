"""The chat's tab: its components, and which of the session's calls each event makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from grok_app.chat import Conversation, Persona
from grok_app.errors import ConversationError, GrokError, RequestError
from grok_app.web.page.chat.controls import Controls
from grok_app.web.page.chat.experts import ExpertsPanel
from grok_app.web.page.chat.facts import Facts
from grok_app.web.page.chat.session import ChatSession, Settings, read
from grok_app.web.page.chat.status import about, verdict
from grok_app.web.page.chat.versions import Versions
from grok_app.web.page.chat.view import SAME, View
from grok_app.web.page.choice import Choice
from grok_app.web.page.drafts import Kept
from grok_app.web.page.events import QUICK, Updates, calls
from grok_app.web.page.markup import harmless, original
from grok_app.web.page.notice import Notice
from grok_app.web.page.personas.personas import Personas
from grok_app.web.page.words import language_of, translated
from grok_app.web.server.limits import Limits, visitor_of

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

_ASK = calls("ask")
"""Ends the reply that is being made, and gives the next one its id: see js/answering.js."""
_SEND, _SENT = calls("send"), calls("sent")
"""The same for a message, where there is one; and empties its box once it is sent."""
_END = calls("end")
"""Ends the reply that is being made, and takes the conversation with all of it."""
_REPLAY = calls("replayed")
"""Gives the next reply its id; the conversation is the one that is to be made again."""
_FOLLOW: dict[str, Any] = {"fn": None, "js": calls("begin"), **QUICK}
"""Once the page shows what the server has answered: follows the reply, if one is being made."""


class ChatTab:
    """The components of the chat and their events.

    The conversation is the value of `stored`, JSON that the browser keeps; `chat` shows it. So the
    server may be started anew in the middle of a conversation.
    """

    def __init__(
        self,
        engine: Engine,
        personas: Personas,
        limits: Limits,
        session: ChatSession,
        stored: gr.HTML,
        replies: gr.HTML,
        notice: Notice,
    ):
        """Lays the components out; `stored` has the conversation that is open, `replies` follows
        what is being made."""
        self._engine, self._personas, self._session = engine, personas, session
        self.stored, self.replies, self._notice = stored, replies, notice
        first = personas.first
        with gr.Row(equal_height=True, elem_id="chat-bar"):
            self.persona = Choice(
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
            self.experts = ExpertsPanel(engine, personas)
        with gr.Row(elem_id="about"):
            gr.Markdown(translated(partial(about, engine)))
            gr.Markdown("a base model: it continues text, and makes things up")
        with gr.Sidebar(position="right", open=False, label="Settings", elem_id="settings"):
            gr.Markdown("## Settings")
            self.begin = gr.Textbox(
                "",
                label="Begin its reply",
                info="the next reply begins with these words, and the model goes on",
                elem_id="begin",
            )
            self.facts = Facts()
            self.controls = Controls(first, limits)

    @property
    def outputs(self) -> list[gr.blocks.Block]:
        """What a `View` is drawn with."""
        return [
            *(self.chat, self.stored, self.message, self.status, self.prompt, self.begin),
            *(self.persona, self.facts.taken, self.experts.view, self._notice.view),
            *self.versions.outputs,
            *self.controls.preset,
        ]

    def kept(self) -> Kept:
        """What a visitor has written or set, to be there again after a reload."""
        set_up = [self.facts.text, self.persona, *self.controls.inputs]
        return Kept(own=[self.message, self.begin], shared=set_up)

    def connect(self, own: gr.HTML) -> None:
        """Says what each event does; `own` has the visitor's own personas."""
        settings = [self.persona, own, self.begin, self.facts.text, *self.controls.inputs]
        asking = [self.replies, self.stored, *settings]
        shown = self.outputs
        self.message.submit(
            self.on_message, [*asking, self.message], shown, js=_SEND, **QUICK
        ).then(None, self.message, self.message, js=_SENT, **QUICK)
        for event, handler, inputs in (
            (self.chat.example_select, self.on_example, asking),
            (self.chat.retry, self.on_retry, asking),
            (self.chat.edit, self.on_edit, asking),
            (self.versions.more.click, self.on_more, asking),
        ):
            event(handler, inputs, shown, js=_ASK, **QUICK).then(**_FOLLOW)
        self.replies.submit(
            self.on_settled,
            asking,
            shown,
            js=calls("settled"),
            trigger_mode="multiple",  # another conversation's reply may end meanwhile
            **QUICK,
        ).then(**_FOLLOW)
        self.replies.input(
            None,
            [self.chat, self.experts.view],
            [self.chat, self.experts.view, self.status],
            js=calls("drawn"),
            **QUICK,
        ).then(None, None, None, js=calls("isDrawn"), **QUICK)
        self.message.stop(None, None, None, js=calls("stop"), **QUICK)
        self.stored.submit(self.on_replay, asking, shown, js=_REPLAY, **QUICK).then(**_FOLLOW)
        opened = [self.stored, own, self.persona]
        self.stored.select(self.on_open, opened, shown, js=calls("open"), **QUICK).then(**_FOLLOW)
        undone = [self.stored, self.message]
        self.chat.undo(self.on_undo, undone, shown, js=_END, **QUICK)
        cleared: list[Any] = [self.chat.clear, self.new.click]
        gr.on(cleared, self.on_new, [self.persona], shown, js=calls("close"), **QUICK)
        version = [self.stored, self.versions.place]
        self.versions.older.click(self.on_older, version, shown, js=_END, **QUICK)
        self.versions.newer.click(self.on_newer, version, shown, js=_END, **QUICK)
        self.chat.select(self.on_select, [self.stored], self.versions.outputs, **QUICK)
        self.persona.input(self.on_persona, [self.persona, own], shown, **QUICK)
        personas = [self.persona, self.stored, own]
        latest: dict[str, Any] = {"trigger_mode": "always_last", **QUICK}
        own.select(self.on_own, personas, shown, **latest)
        own.input(self.on_own_edited, personas, shown, **latest)

    # Events that bring a reply.

    async def on_message(self, request: gr.Request, id: str, stored: str, *values: Any) -> Updates:
        """The person has sent a message."""
        *settings, text = values
        send = partial(self._session.send, text=text)
        return await self._asked(request, settings, send, id, stored)

    async def on_example(
        self, request: gr.Request, event: gr.SelectData, id: str, stored: str, *settings: Any
    ) -> Updates:
        """A suggested opening was chosen."""
        send = partial(self._session.send, text=event.value["text"])
        return await self._asked(request, settings, send, id, stored)

    async def on_retry(
        self, request: gr.Request, event: gr.RetryData, id: str, stored: str, *settings: Any
    ) -> Updates:
        """Another version of the reply is wanted."""
        retry = partial(self._session.retry, place=_index(event))
        return await self._asked(request, settings, retry, id, stored)

    async def on_edit(
        self, request: gr.Request, event: gr.EditData, id: str, stored: str, *settings: Any
    ) -> Updates:
        """A turn was changed."""
        text = original(str(event.value))
        edit = partial(self._session.edit, place=_index(event), text=text)
        return await self._asked(request, settings, edit, id, stored)

    async def on_more(self, request: gr.Request, id: str, stored: str, *settings: Any) -> Updates:
        """The last reply is to go on."""
        return await self._asked(request, settings, self._session.go_on, id, stored)

    async def on_settled(
        self, request: gr.Request, asked: str, stored: str, *settings: Any
    ) -> Updates:
        """A reply has ended. `asked` is the id of one that may follow; after a "-" none may."""
        settle = partial(self._session.settle, stopped=asked.startswith("-"))
        return await self._asked(request, settings, settle, asked.lstrip("-"), stored)

    async def on_replay(self, request: gr.Request, id: str, stored: str, *settings: Any) -> Updates:
        """A conversation that was sent by somebody is made again."""
        return await self._asked(request, settings, self._session.replay, id, stored)

    async def _asked(
        self,
        request: gr.Request,
        values: Any,
        call: Callable[..., Awaitable[View]],
        id: str,
        stored: str,
    ) -> Updates:
        slug, own, begin, facts, *controls = values
        try:
            sampling, seed, stop = self.controls.read(controls)
            settings = Settings(slug, own or "", sampling, seed, stop, begin or "", facts or "")
            view = await call(visitor_of(request), id=id, stored=stored, settings=settings)
        except GrokError as error:
            view = View(drawn=_readable(stored), error=error)
        return self._drawn(request, view, own)

    # Events that do not.

    async def on_undo(
        self, request: gr.Request, event: gr.UndoData, stored: str, draft: str
    ) -> Updates:
        """The last exchange is taken back."""
        undo = partial(self._session.undo, stored, _index(event), draft)
        return self._changed(request, undo)

    async def on_new(self, request: gr.Request, slug: str) -> Updates:
        """A new conversation."""
        return self._drawn(request, self._session.new(slug))

    async def on_open(self, request: gr.Request, stored: str, own: str, slug: str) -> Updates:
        """Another conversation of the visitor's is opened."""
        return self._changed(request, partial(self._session.open, stored, own, slug), own)

    async def on_older(self, request: gr.Request, stored: str, place: str) -> Updates:
        """The version before this one is to be seen."""
        older = partial(self._session.version, stored, _place(place), -1)
        return self._changed(request, older)

    async def on_newer(self, request: gr.Request, stored: str, place: str) -> Updates:
        """The version after this one is to be seen."""
        newer = partial(self._session.version, stored, _place(place), 1)
        return self._changed(request, newer)

    async def on_select(self, request: gr.Request, event: gr.SelectData, stored: str) -> Updates:
        """A turn was pointed at: its versions can be looked at."""
        try:
            conversation = read(stored)
        except ConversationError:  # it is told when it is to be changed
            return {self.versions.place: gr.skip()}
        return self.versions.updates(conversation, language_of(request), _index(event))

    async def on_persona(self, request: gr.Request, slug: str, own: str) -> Updates:
        """Another persona is to answer."""
        return self._drawn(request, self._session.choose(slug, own), own)

    async def on_own(self, request: gr.Request, slug: str, stored: str, own: str) -> Updates:
        """The visitor's own personas have been read, or another tab has changed them."""
        changed = partial(self._session.own_changed, slug, stored, own, edited=False)
        return self._changed(request, changed, own)

    async def on_own_edited(self, request: gr.Request, slug: str, stored: str, own: str) -> Updates:
        """One of the visitor's own personas was saved, deleted or taken back."""
        changed = partial(self._session.own_changed, slug, stored, own, edited=True)
        return self._changed(request, changed, own)

    def _changed(self, request: gr.Request, call: Callable[[], View], own: str = "") -> Updates:
        try:
            view = call()
        except GrokError as error:
            view = View(error=error)
        return self._drawn(request, view, own)

    # How a view is drawn.

    def _drawn(self, request: gr.Request, view: View, own: str = "") -> Updates:
        say = language_of(request)
        updates: Updates = {
            self._notice.view: gr.skip()
        }  # at least one: an empty answer empties all
        if view.conversation is not SAME:
            has_turns = bool(view.conversation.nodes)
            updates[self.stored] = view.conversation.to_json() if has_turns else ""
        conversation = view.drawn if view.conversation is SAME else view.conversation
        if conversation is not SAME:
            updates[self.chat] = gr.update(value=_messages(conversation))
            updates[self.message] = _box(conversation.pending is not None)
            updates |= self.versions.updates(conversation, say, view.place)
            if not view.settled:
                updates[self.experts.view] = self.experts.value_of(conversation)
        if view.message is not SAME:
            updates[self.message] = updates.get(self.message, {}) | gr.update(value=view.message)
        if view.begin is not SAME:
            updates[self.begin] = view.begin
        if view.status is not SAME:
            updates[self.status] = view.status
        if view.verdict:
            updates[self.status] = verdict(*view.verdict, say)
        if view.prompt is not SAME:
            updates[self.prompt] = view.prompt.text if view.prompt else ""
            updates[self.facts.taken] = "\n\n".join(view.prompt.facts) if view.prompt else ""
        if view.persona is not SAME:
            updates |= self._answering(view, own, updates.get(self.chat, gr.skip()))
        if view.error:
            updates[self._notice.view] = self._notice.error(view.error, say)
        elif view.notice:
            updates[self._notice.view] = self._notice.text(say(view.notice))
        return updates

    def _answering(self, view: View, own: str, chat: Any) -> Updates:
        """Who is to answer: the list, the welcome and openings, which `chat` gets, and where they
        are to be set the settings."""
        choices = self._personas.choices(own)
        updates: Updates = {self.persona: gr.update(choices=choices, value=view.persona)}
        with suppress(RequestError):  # where it is needed, that is told
            persona = self._personas.find(view.persona, own)
            welcome, openings = _welcome(persona), _examples(persona)
            updates[self.chat] = chat | gr.update(placeholder=welcome, examples=openings)
            if view.preset:
                preset = self.controls.preset
                updates |= zip(preset, self.controls.preset_of(persona), strict=True)
        return updates


def _readable(stored: str) -> Any:
    """The conversation to be drawn as it is; the same as before where it cannot be read."""
    try:
        return read(stored)
    except ConversationError:
        return SAME


def _messages(conversation: Conversation) -> list[dict[str, str]]:
    """The branch as the chat shows it, with what there is of a reply that is being made."""
    messages = [
        {"role": turn.role, "content": harmless(turn.text)}
        for turn in conversation.answered().turns
    ]
    pending = conversation.pending
    if pending and pending.made.begun and messages[-1]["role"] == "user":
        messages.append({"role": "assistant", "content": harmless(pending.made.begun)})
    return messages


def _box(answering: bool) -> Any:
    """An update of the message box: what its button does."""
    return gr.update(submit_btn=not answering, stop_btn=answering)


def _place(place: str) -> int | None:
    return int(place) if place.isdecimal() else None


def _index(event: Any) -> int:
    return event.index if isinstance(event.index, int) else event.index[0]


def _welcome(persona: Persona) -> str:
    return harmless(f"## {persona.icon} {persona.name}\n\n{persona.description}")


def _examples(persona: Persona) -> list[Any]:
    return [{"text": text} for text in persona.suggestions]

"""The chat page: what is on it, and what happens when something is pressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from grok_app.chat import Persona
from grok_app.errors import GrokError
from grok_app.web import conversation
from grok_app.web.api import add_api
from grok_app.web.controls import Controls
from grok_app.web.conversation import Turns
from grok_app.web.markup import harmless, original
from grok_app.web.reply import Reply, explain
from grok_app.web.status import about, gauges

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

_PATIENCE = 2.0  # seconds in which a reply that was stopped ends
_TOAST = 5  # seconds that a warning stands over the page
Updates = dict[Any, Any]
"""New values, by component."""


def build(engine: Engine, personas: Sequence[Persona]) -> gr.Blocks:
    """The whole page, ready to be launched."""
    with gr.Blocks(title="Grok-1 in the browser", fill_height=True) as blocks:
        page = Page(engine, personas)
        page.connect(blocks)
        add_api(engine, personas)
    return blocks


class Page:
    """The components of the page and their events.

    The conversation's truth is `turns`, kept for each visit; the chat shows it.
    """

    def __init__(self, engine: Engine, personas: Sequence[Persona]):
        """Lays the components out."""
        self.engine, self.personas = engine, {persona.slug: persona for persona in personas}
        self.replies: dict[str, Reply] = {}  # those being made, by visit
        first = personas[0]
        self.turns = gr.State(())
        with gr.Row(equal_height=True, elem_id="header"):
            gr.HTML(
                "<h1>Grok-1 in the browser</h1>"
                "<p>an open mixture-of-experts base model with a persona</p>",
                elem_id="title",
            )
            self.persona = gr.Dropdown(
                [(f"{p.icon} {p.name}", p.slug) for p in personas],
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
        gr.Markdown(about(engine), elem_id="about")
        with gr.Sidebar(position="right", open=False, label="Settings", elem_id="settings"):
            gr.Markdown("### Settings")
            self.controls = Controls(first)

    def connect(self, blocks: gr.Blocks) -> None:
        """Says what each event does."""
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        settings = [self.persona, *self.controls.inputs]
        shown = [self.chat, self.turns, self.message, self.status, self.prompt]
        # The engine has the queue; here everybody who is admitted there may wait.
        many: dict[str, Any] = {"concurrency_limit": None, "concurrency_id": "replies"}
        for event, handler, first in (
            (self.message.submit, self.on_message, [self.message]),
            (self.chat.example_select, self.on_example, []),
            (self.chat.retry, self.on_retry, []),
            (self.chat.edit, self.on_edit, []),
        ):
            event(handler, [*first, self.turns, *settings], shown, **hidden, **many)
        quick: dict[str, Any] = {"queue": False, **hidden}
        self.message.stop(self.on_stop, None, None, **quick)
        # These go the way of the replies, so that they arrive after what a reply still has to say.
        self.chat.undo(self.on_undo, [self.turns], shown, **hidden, **many)
        gr.on([self.chat.clear, self.new.click], self.on_clear, None, shown, **hidden, **many)
        self.persona.change(
            self.on_persona, [self.persona], [self.chat, *self.controls.preset], **quick
        )
        blocks.unload(self.on_leave)

    # Events that bring a reply.

    def on_message(
        self, request: gr.Request, text: str, turns: Turns, slug: str, *controls: Any
    ) -> Iterator[Updates]:
        """The person has sent a message."""
        if not text.strip():
            gr.Info("Write a message first.")
            return
        said = conversation.said(turns, text)
        yield from self._reply(said, turns, slug, controls, request, text)

    def on_example(
        self, request: gr.Request, event: gr.SelectData, turns: Turns, slug: str, *controls: Any
    ) -> Iterator[Updates]:
        """A suggested opening was chosen."""
        text = event.value["text"]
        yield from self._reply(conversation.said(turns, text), turns, slug, controls, request)

    def on_retry(
        self, request: gr.Request, event: gr.RetryData, turns: Turns, slug: str, *controls: Any
    ) -> Iterator[Updates]:
        """Another reply is wanted."""
        upto = conversation.before_reply(turns, _index(event))
        if upto:
            yield from self._reply(upto, turns, slug, controls, request)

    def on_edit(
        self, request: gr.Request, event: gr.EditData, turns: Turns, slug: str, *controls: Any
    ) -> Iterator[Updates]:
        """A turn was changed: the person's asks for a new reply, the model's just stands."""
        changed = conversation.edited(turns, _index(event), original(str(event.value)))
        if changed and changed[-1].role == "user":
            yield from self._reply(changed, turns, slug, controls, request)
        else:
            yield self._shown(changed)

    def _reply(
        self,
        turns: Turns,
        before: Turns,
        slug: str,
        controls: Sequence[Any],
        request: gr.Request,
        typed: str = "",
    ) -> Iterator[Updates]:
        """Streams the reply to the last of `turns`, as long as the visitor wants it.

        Where there can be none, the turns `before` and what was `typed` are given back.
        """
        visit = request.session_hash or ""
        self.on_leave(request)
        try:
            settings = self.controls.read(controls)
            reply = Reply(self.engine, self.personas[slug], turns, *settings)
        except GrokError as error:
            gr.Warning(explain(error), duration=_TOAST)
            given_back = {self.message: gr.update(value=typed)} if typed else {}
            yield self._shown(before) | given_back
            return
        self.replies[visit] = reply
        busy = gr.update(value="", submit_btn=False, stop_btn=True)
        yield self._shown(turns) | {self.message: busy, self.prompt: reply.prompt.text}
        try:
            for now in reply:
                if self.replies.get(visit) is not reply:
                    return  # begun anew meanwhile: this must not bring the old turns back
                yield self._shown(conversation.answered(turns, now.text)) | {
                    self.status: gauges(self.engine, reply.prompt, now)
                }
        except GrokError as error:
            gr.Warning(explain(error), duration=_TOAST)
        finally:
            reply.stop()
            reply.shown.set()
            if self.replies.get(visit) is reply:
                del self.replies[visit]
        yield {self.message: _idle()}

    # Events that do not.

    def on_stop(self, request: gr.Request) -> None:
        """The reply is to end where it is; its own event then shows what there is."""
        if reply := self.replies.get(request.session_hash or ""):
            reply.stop()

    def on_undo(self, request: gr.Request, event: gr.UndoData, turns: Turns) -> Updates:
        """The last exchange is taken back, its message to be written anew."""
        self._end_reply(request)
        kept, text = conversation.undone(turns, _index(event))
        return self._shown(kept) | {self.message: _idle(value=text), self.status: ""}

    def on_clear(self, request: gr.Request) -> Updates:
        """A new conversation."""
        self._end_reply(request)
        return self._shown(()) | {self.message: _idle(), self.status: "", self.prompt: ""}

    def on_persona(self, slug: str) -> list[Any]:
        """Another persona: its welcome, its openings, its settings. The conversation stays."""
        persona = self.personas[slug]
        chat = gr.update(placeholder=_welcome(persona), examples=_examples(persona))
        return [chat, *self.controls.preset_of(persona)]

    def on_leave(self, request: gr.Request) -> None:
        """The visitor is gone, or begins something else: the engine must not go on for nobody."""
        if reply := self.replies.pop(request.session_hash or "", None):
            reply.stop()

    def _end_reply(self, request: gr.Request) -> None:
        """Ends the visitor's reply and waits until its event has said its last word."""
        if reply := self.replies.get(request.session_hash or ""):
            self.on_leave(request)
            reply.shown.wait(_PATIENCE)

    def _shown(self, turns: Turns) -> Updates:
        return {self.turns: turns, self.chat: conversation.messages(turns)}


def _idle(**changes: Any) -> Any:
    """An update of the message box: nothing is being answered."""
    return gr.update(submit_btn=True, stop_btn=False, **changes)


def _index(event: Any) -> int:
    return event.index if isinstance(event.index, int) else event.index[0]


def _welcome(persona: Persona) -> str:
    return harmless(f"## {persona.icon} {persona.name}\n\n{persona.description}")


def _examples(persona: Persona) -> list[Any]:
    return [{"text": text} for text in persona.suggestions]

"""The replies that are being made for the visitors of the page, one at a time for each visit."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import gradio as gr

from grok_app.chat import Conversation
from grok_app.web.reply import Reply

_PATIENCE = 2.0  # seconds in which a reply that was stopped ends


@dataclass
class RunningReply:
    """A reply that is being made, and the conversation with as much of it as there is."""

    reply: Reply
    talk: Conversation


class RunningReplies:
    """Which reply belongs to which visit; what begins anew takes the place of what ran."""

    def __init__(self) -> None:
        self._of_visit: dict[str, RunningReply] = {}
        self._lock = Lock()  # events of one visit run in several threads

    def begin(self, request: gr.Request, reply: Reply, talk: Conversation) -> RunningReply:
        """The visitor waits for this reply from now on."""
        running = RunningReply(reply, talk)
        with self._lock:
            self._of_visit[request.session_hash or ""] = running
        return running

    def is_answering(self, request: gr.Request) -> bool:
        """Whether a reply is being made for the visitor."""
        return (request.session_hash or "") in self._of_visit

    def awaits(self, request: gr.Request, running: RunningReply) -> bool:
        """Whether the visitor has not gone on to something else."""
        return self._of_visit.get(request.session_hash or "") is running

    def finish(self, request: gr.Request, running: RunningReply) -> None:
        """The reply ends, and its event has said its last word."""
        running.reply.stop()
        running.reply.shown.set()
        with self._lock:
            if self.awaits(request, running):
                del self._of_visit[request.session_hash or ""]

    def stop(self, request: gr.Request) -> None:
        """The visitor's reply is to end where it is; its own event then shows what there is."""
        if running := self._of_visit.get(request.session_hash or ""):
            running.reply.stop()

    def leave(self, request: gr.Request) -> None:
        """The visitor is gone or does something else: the engine must not go on for nobody."""
        self._taken(request)

    def end(self, request: gr.Request) -> Conversation | None:
        """Ends the visitor's reply and waits until its event has said its last word; returns the
        conversation with it."""
        running = self._taken(request)
        if running is None:
            return None
        running.reply.shown.wait(_PATIENCE)
        return running.talk

    def _taken(self, request: gr.Request) -> RunningReply | None:
        """The visitor's reply, which is stopped and nobody awaits any more."""
        with self._lock:
            running = self._of_visit.pop(request.session_hash or "", None)
        if running:
            running.reply.stop()
        return running

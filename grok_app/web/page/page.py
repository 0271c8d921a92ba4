"""The page: a tab for each way to use the model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from grok_app.chat import Persona
from grok_app.replies import Replies
from grok_app.web.page.chat.layout import ChatTab
from grok_app.web.page.chat.session import ChatSession
from grok_app.web.page.compare.layout import CompareTab
from grok_app.web.page.compare.session import CompareSession
from grok_app.web.page.conversations import conversations
from grok_app.web.page.drafts import keep_drafts
from grok_app.web.page.endpoint import add_api
from grok_app.web.page.follow import follower
from grok_app.web.page.notebook.layout import Notebook
from grok_app.web.page.notebook.session import NotebookSession
from grok_app.web.page.notice import Notice
from grok_app.web.page.personas.layout import PersonasTab
from grok_app.web.page.personas.personas import Personas
from grok_app.web.page.shelf import shelf
from grok_app.web.page.shortcuts import shortcuts
from grok_app.web.page.words import translatable
from grok_app.web.server.limits import Limits

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

log = logging.getLogger(__name__)

_DEMO = (
    "A public demo with limits. The model makes things up. What you write is not kept, but goes "
    "through somebody else's machine: no secrets, please."
)


class _Blocks(gr.Blocks):
    """Gradio's page, without a traceback for what no handler has expected: mostly a request that
    the page itself never makes."""

    async def process_api(self, *args: Any, **kwargs: Any) -> Any:
        """See Gradio's; gr.Error where it cannot be answered."""
        try:
            return await super().process_api(*args, **kwargs)
        except gr.Error as error:
            error.print_exception = False  # the visitor has the reason
            raise
        except Exception as error:
            log.warning("an event could not be answered: %s", type(error).__name__)
            log.debug("of which this is known", exc_info=error)
            raise gr.Error("This cannot be answered.", print_exception=False) from error


def build(
    engine: Engine, personas: Sequence[Persona], limits: Limits, replies: Replies
) -> gr.Blocks:
    """The whole page, ready to be launched; with limits it is a demo, and says so."""
    everybody = Personas(personas)
    chat_session = ChatSession(engine, everybody, limits, replies)
    notebook_session = NotebookSession(engine, limits, replies)
    compare_session = CompareSession(engine, everybody, limits, replies)
    with _Blocks(title="Grok-1 in the browser", fill_height=True) as blocks:
        with gr.Row(elem_id="title"):
            gr.Markdown("# Grok-1 in the browser")
            gr.Markdown("an open mixture-of-experts base model with a persona")
        with gr.Sidebar(position="left", open=False, label="Conversations", elem_id="talks"):
            stored = conversations()
        if limits.messages:
            gr.Markdown(_DEMO, elem_id="demo")
        # On no tab, for what is on one is made when that is first opened.
        own, notice = shelf(), Notice()
        following = follower(engine, replies, notebook_session)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Chat", id="chat", scale=1):
                parts = stored, following, notice
                chat = ChatTab(engine, everybody, limits, chat_session, *parts)
            with gr.Tab("Compare", id="compare"):
                compare = CompareTab(compare_session, everybody, chat, notice)
            with gr.Tab("Notebook", id="notebook"):
                notebook = Notebook(notebook_session, limits.tokens)
            with gr.Tab("Personas", id="personas"):
                editor = PersonasTab(engine, everybody, own, notice)
        shortcuts()
        chat.connect(own)
        compare.connect(tabs, own)
        notebook.connect()
        editor.connect(blocks)
        keep_drafts(chat.kept(), compare.kept(), notebook.kept(), editor.kept())
        add_api(engine, personas, limits)
    translatable(blocks)
    return blocks

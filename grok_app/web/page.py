"""The page: a tab for each way to use the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from grok_app.chat import Persona
from grok_app.web.api import add_api
from grok_app.web.chat_tab import ChatTab
from grok_app.web.compare import CompareTab
from grok_app.web.conversations import conversations
from grok_app.web.limits import Limits
from grok_app.web.notebook import Notebook
from grok_app.web.personas import Personas
from grok_app.web.personas_tab import PersonasTab
from grok_app.web.shelf import shelf
from grok_app.web.shortcuts import shortcuts
from grok_app.web.words import translatable

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8")
_DEMO = (
    "A public demo with limits. The model makes things up. What you write is not kept, but goes "
    "through somebody else's machine: no secrets, please."
)


def build(engine: Engine, personas: Sequence[Persona], limits: Limits) -> gr.Blocks:
    """The whole page, ready to be launched; with limits it is a demo, and says so."""
    everybody = Personas(personas)
    with gr.Blocks(title="Grok-1 in the browser", fill_height=True) as blocks:
        with gr.Row(elem_id="title"):
            gr.Markdown("# Grok-1 in the browser")
            gr.Markdown("an open mixture-of-experts base model with a persona")
        with gr.Sidebar(position="left", open=False, label="Conversations", elem_id="talks"):
            talk = conversations()
        if limits.messages:
            gr.Markdown(_DEMO, elem_id="demo")
        own = shelf()  # on no tab, for these are made when they are first opened
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Chat", id="chat", scale=1):
                chat = ChatTab(engine, everybody, limits, talk)
            with gr.Tab("Compare", id="compare"):
                compare = CompareTab(engine, everybody, chat, limits)
            with gr.Tab("Notebook", id="notebook"):
                notebook = Notebook(engine, limits)
            with gr.Tab("Personas", id="personas"):
                editor = PersonasTab(engine, everybody, own)
        shortcuts()
        chat.connect(blocks, own)
        compare.connect(blocks, tabs, own)
        notebook.connect(blocks)
        editor.connect(blocks)
        add_api(engine, personas, limits)
    translatable(blocks)
    return blocks

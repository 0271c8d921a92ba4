"""Replies, from a wish to the last word: the only place that asks the engine for one.

Faces of it are the page, the API, the endpoint `/chat` and the evaluation of the default model.
Everything runs on one event loop; only the engine's own thread calls in from outside, to wake it.
No Gradio, no FastAPI and no JAX in here.
"""

from grok_app.replies.registry import Replies
from grok_app.replies.reply import Ended, Progress, Reply, stop
from grok_app.replies.start import start
from grok_app.replies.stream import pieces, progress
from grok_app.replies.wish import Wish, chat_prompt, chat_wish, text_wish

__all__ = [
    "Ended",
    "Progress",
    "Replies",
    "Reply",
    "Wish",
    "chat_prompt",
    "chat_wish",
    "pieces",
    "progress",
    "start",
    "stop",
    "text_wish",
]

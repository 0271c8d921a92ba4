"""Makes replies: nothing else builds a prompt or asks the engine for a reply.

A `Wish` says what a reply is to be, `start` asks the engine for it, and a `Reply` takes its tokens
as they come. The page, the API, the endpoint `/chat` and the evaluations use this. All of it runs
on one event loop; the engine's own thread only wakes that loop.
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

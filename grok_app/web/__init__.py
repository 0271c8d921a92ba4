"""The browser's side: Gradio pages. No JAX in here."""

from grok_app.web.page import build
from grok_app.web.server import serve

__all__ = ["build", "serve"]

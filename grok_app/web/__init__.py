"""The browser's side: Gradio pages, and the server of page and API. No JAX in here."""

from grok_app.web.page.page import build
from grok_app.web.server.site import Site

__all__ = ["Site", "build"]

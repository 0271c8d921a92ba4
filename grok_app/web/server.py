"""Opens the page to the world, or to this machine alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from grok_app.chat import Persona
from grok_app.errors import SettingsError
from grok_app.settings import Settings
from grok_app.web.page import build
from grok_app.web.theme import CSS, theme

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

log = logging.getLogger(__name__)


def serve(engine: Engine, personas: Sequence[Persona], settings: Settings) -> None:
    """Serves the page until the process is interrupted.

    Raises:
        SettingsError: the port was taken meanwhile.
    """
    if settings.share and not settings.auth:
        log.warning("--share without --auth: whoever has the link can use this machine's model")
    blocks = build(engine, personas)
    try:
        blocks.launch(
            server_name=settings.host,
            server_port=settings.port,
            share=settings.share,
            auth=list(settings.auth) or None,
            theme=theme(),
            css_paths=CSS,
            max_threads=engine.slots + settings.queue + 16,
            footer_links=[],
            ssr_mode=False,
            run_history=False,
            enable_monitoring=False,
            quiet=True,
            prevent_thread_lock=True,
        )
    except OSError as error:
        raise SettingsError(
            f"port {settings.port} cannot be served on: {error}; choose another with --port"
        ) from None
    _announce(str(blocks.local_url), blocks.share_url, settings.share)
    try:
        blocks.block_thread()
    finally:
        blocks.close(verbose=False)


def _announce(local: str, public: str | None, shared: bool) -> None:
    print(f"Open {local.rstrip('/')} in a browser. Ctrl+C ends.")
    if public:
        print(f"Public link: {public}")
    elif shared:
        log.warning("the share service cannot be reached; serving on this machine only")

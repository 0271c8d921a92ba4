"""Opens the page and the API to the world, or to this machine alone."""

from __future__ import annotations

import logging
import socket
import threading
import time
import warnings
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import gradio as gr
from fastapi import FastAPI
from gradio import networking
from gradio.routes import App
from starlette.routing import Mount

from grok_app.api import Access, Service, build_api, read_keys
from grok_app.chat import Persona
from grok_app.replies import Replies
from grok_app.settings import Settings
from grok_app.web.page.chat.status import about
from grok_app.web.page.page import build
from grok_app.web.page.scripts import HEAD, add_scripts
from grok_app.web.page.theme import CSS, theme
from grok_app.web.page.words import i18n
from grok_app.web.server.forgetful import forget_visits
from grok_app.web.server.front import Front
from grok_app.web.server.gate import Gate
from grok_app.web.server.hosts import checked
from grok_app.web.server.limits import Limits
from grok_app.web.server.listener import Listener
from grok_app.web.server.logins import Logins
from grok_app.web.server.owners import Owners
from grok_app.web.server.quota import Quota

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

log = logging.getLogger(__name__)
_MIB = 2**20
_LOOK = 0.1  # seconds between two looks at what is still being answered


class Site:
    """The page and the API at one address; as a context manager, from entry to exit.

    Until `serve` there is no engine: the API says that it is starting, a browser is told to wait.
    """

    def __init__(self, personas: Sequence[Persona], settings: Settings, listening: socket.socket):
        """`listening` is bound to the address already.

        Raises:
            SettingsError: the file of keys cannot be read.
        """
        self._personas, self._settings, self._socket = personas, settings, listening
        self._service = Service(personas)
        self._front = Front(build_api(self._service, _access(settings)))

    def __enter__(self) -> Self:
        served = checked(self._front, self._settings)
        self._listener = Listener(served, self._socket, self._settings.proxy)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def serve(self, engine: Engine) -> None:
        """Serves until the process is interrupted, and then what is being answered."""
        settings = self._settings
        if settings.share and not (settings.auth or settings.demo):
            log.warning("--share without --auth: whoever has the link can use this machine's model")
        if settings.share and settings.demo and not settings.proxy:
            log.warning("--share without --proxy 127.0.0.1: all visitors share one limit")
        limits = Limits(settings.demo_messages, settings.demo_tokens) if settings.demo else Limits()
        replies = Replies(engine, settings.lingering)
        blocks = build(engine, self._personas, limits, replies)
        app = _mounted(blocks, engine, settings)
        try:
            inner = Logins(Owners(app, blocks.app)) if settings.auth else app
            asked = Quota(inner) if settings.demo else inner
            self._front.open(app, Gate(asked, settings.api_max_body * _MIB))
            self._service.open(engine)
            public = _share(blocks, settings) if settings.share else None
            _announce(settings, public)
            threading.Event().wait()
        except KeyboardInterrupt:
            self._finish(engine, replies)
            raise
        finally:
            blocks.close(verbose=False)  # ends the page's streams, for which the server would wait

    def _finish(self, engine: Engine, replies: Replies) -> None:
        """Begins nothing new, and waits for what is being answered, as long as it may take."""
        engine.drain()
        until = time.monotonic() + self._settings.drain
        told = False
        while (self._front.answering or replies.awaited) and time.monotonic() < until:
            if not told:
                print(
                    f"Ending: what is being answered may take {self._settings.drain} s more. "
                    "A second signal ends at once."
                )
                told = True
            time.sleep(_LOOK)


def _access(settings: Settings) -> Access:
    """The API's rules. A login for the page is none for the API: that has its keys."""
    from_file = read_keys(settings.api_key_file) if settings.api_key_file else ()
    return Access(
        keys=(*settings.api_key, *from_file),
        local=not (settings.auth or settings.share or settings.demo),
        origins=settings.api_origin,
        max_body=settings.api_max_body * _MIB,
    )


def _mounted(blocks: gr.Blocks, engine: Engine, settings: Settings) -> FastAPI:
    """The page as an app."""
    # Of a gr.HTML whose value is a conversation: data to its script, never markup.
    warnings.filterwarnings("ignore", "A `<script>` tag was found", UserWarning)
    blocks.max_threads = engine.slots + settings.queue + 16
    blocks.queue()
    app = FastAPI(openapi_url=None)
    add_scripts(app)  # before the page, which answers whatever is left
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=settings.host,
        server_port=settings.port,
        auth=list(settings.auth) or None,
        theme=theme(),
        css_paths=CSS,
        head=HEAD,
        i18n=i18n(partial(about, engine)),
        footer_links=[],
        show_error=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        max_file_size=0,  # nothing on the page takes a file
    )
    # Only `launch` sets these by itself. Without the first, Gradio takes what a visitor sends for
    # its own, and copies any file named there to where it can be fetched from.
    blocks.has_launched = True
    # What `Blocks.close` ends the streams of.
    mounts = (route.app for route in app.routes if isinstance(route, Mount))
    (blocks.app,) = (mounted for mounted in mounts if isinstance(mounted, App))
    forget_visits(blocks.app)
    return app


def _share(blocks: gr.Blocks, settings: Settings) -> str | None:
    """The address of a tunnel through Gradio's share service; None where it cannot be had."""
    try:
        address = networking.setup_tunnel(
            settings.host, settings.port, blocks.share_token, None, None
        )
    except Exception as error:  # of many kinds: no network, no service, no program for the tunnel
        log.warning("the share service cannot be reached: %s; serving on this machine only", error)
        return None
    return urlsplit(address)._replace(scheme="https").geturl()


def _announce(settings: Settings, public: str | None) -> None:
    host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host
    shown = f"[{host}]" if ":" in host else host
    print(f"Open http://{shown}:{settings.port} in a browser. Ctrl+C ends.")
    if public:
        print(f"Public link: {public}")

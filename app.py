"""Grok-1 in the browser: reads the settings, loads the engine, opens the web app."""

import io
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

from grok_app.address_space import check_address_space
from grok_app.errors import GrokError, SettingsError
from grok_app.settings import Settings, parse

if TYPE_CHECKING:
    from grok_app.engine.cluster import Cluster


_TOLD_SECONDS = 1.0  # in which the others read that this process ends


def main() -> int:
    """Serve until told to stop; the exit status is 0 then, and 2 where the app cannot start."""
    _prepare_process()
    try:
        run(parse(sys.argv[1:], os.environ))
    except GrokError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    print("Stopped.")
    return 0


def run(settings: Settings) -> None:
    """Load everything and serve until interrupted. What fails fast comes first."""
    check_address_space()
    if settings.process_id:
        return follow(settings)
    listening = listen(settings.host, settings.port)

    # The slow imports come only here: a wrong option is told at once.
    from grok_app.chat import load_personas

    personas = load_personas(settings.persona_dir)

    from grok_app import load
    from grok_app.web import Site

    print(f"Loading {settings.checkpoint} ...")
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(listening)
        site = stack.enter_context(Site(personas, settings, listening))
        with _ending_at_once(settings):
            cluster = _cluster(settings)
            engine = load(settings.checkpoint, settings.engine, cluster)
        stack.enter_context(closing(engine))
        print(
            f"{engine.name}: {engine.parameters / 1e6:,.1f} million parameters, "
            f"{engine.active_parameters / 1e6:,.1f} million used by a token; {engine.device}; "
            f"{engine.slots} slots of {engine.context} tokens; "
            f"ready after {time.monotonic() - started:.1f} s"
        )
        _on_signals(_stop)
        site.serve(engine)


def follow(settings: Settings) -> None:
    """Take part in what process 0 serves, until it stops."""
    from grok_app.engine.load import follow

    cluster = _cluster(settings)
    assert cluster is not None
    print(f"Process {settings.process_id} follows process 0 at {settings.coordinator} ...")
    _on_signals(partial(_follow_on, settings.drain))
    with _ending_at_once(settings):
        follow(settings.checkpoint, settings.engine, cluster)


@contextmanager
def _ending_at_once(settings: Settings) -> Iterator[None]:
    """What fails within ends this process, if it is one of several: at its own end JAX would wait
    for the others, for minutes, and they have been told to end."""
    try:
        yield
    except Exception as error:
        if settings.coordinator is None:
            raise
        if isinstance(error, GrokError):
            print(f"error: {error}", file=sys.stderr)
        else:
            traceback.print_exc()
        sys.stderr.flush()
        time.sleep(_TOLD_SECONDS)
        os._exit(2)


def _cluster(settings: Settings) -> "Cluster | None":
    """The processes that serve together, where there are several."""
    from grok_app.engine.cluster import Cluster

    if settings.coordinator is None:
        return None
    return Cluster(settings.coordinator, settings.processes, settings.process_id)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections there; SettingsError where there can be none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        listening = socket.socket(family, kind, protocol)
        if os.name == "posix":  # a port that was just left is free
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
        return listening
    except (OSError, UnicodeError) as error:  # UnicodeError: what can be no name of a host
        raise SettingsError(
            f"cannot serve on {host}, port {port}: {getattr(error, 'strerror', error)}; "
            "give --host an address of this machine and --port one that is free"
        ) from None


def _prepare_process() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("grok_app").setLevel(logging.INFO)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when Gradio is imported
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # the address shows at once in a log file too
    _on_signals(_quit)


def _on_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _quit(number: int, frame: FrameType | None) -> None:
    """End at once: while the app is starting there is nothing to put in order, and an exception
    raised from here may be lost in a library's callback."""
    print("Stopped.", flush=True)
    os._exit(0)


def _follow_on(seconds: int, number: int, frame: FrameType | None) -> None:
    """Go on for so long: process 0, which is told to end too, may have answers to finish, and says
    when it has. A second signal ends at once."""
    signal.signal(number, signal.SIG_DFL)
    print(f"Ending with process 0, or in {seconds} s.", flush=True)
    timer = threading.Timer(seconds + _TOLD_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()


def _stop(number: int, frame: FrameType | None) -> None:
    """End in good order: `finally` blocks run, the engine closes. A second signal ends at once."""
    signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

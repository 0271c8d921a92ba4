"""A server of one line of text at a free port that it prints; its limit of descriptors is 1,024."""

import resource
import socket
import threading

from starlette.responses import PlainTextResponse

from grok_app.web.server.listener import Listener


def main() -> None:
    """Serves until it is ended."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listener = Listener(PlainTextResponse("Hello."), listening)
        print(listening.getsockname()[1], flush=True)
        threading.Event().wait()
        listener.close()


if __name__ == "__main__":
    main()

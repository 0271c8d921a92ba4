"""What each visitor of a public page may ask for: messages a minute, tokens a reply."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import gradio as gr

from grok_app.chat import Sampling
from grok_app.errors import RequestError
from grok_app.web.server.recent import Recent

AnySampling = TypeVar("AnySampling", bound=Sampling)


@dataclass(frozen=True)
class Visitor:
    """Who asks: the session of a page, and the address it is asked from."""

    session: str
    address: str


def visitor_of(request: gr.Request) -> Visitor:
    """Who has sent a request."""
    host = request.client.host if request.client else ""
    return Visitor(request.session_hash or "", network(host))


class Limits:
    """The limits of a page; without numbers there are none.

    Messages are counted for each session and for each address, and neither count may pass the
    limit: so neither a new tab nor a new address gives a visitor more messages. Each message that
    is let through is remembered for a minute, and none that is refused.
    """

    def __init__(
        self,
        messages: int | None = None,
        tokens: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`messages` a minute and `tokens` a reply, for each visitor; `clock` is in seconds."""
        self.messages, self.tokens = messages, tokens
        self._sent, self._lock = Recent(clock), threading.Lock()

    def admit(self, visitor: Visitor, messages: int = 1) -> None:
        """Counts messages, whose replies are about to be made: all of them or none.

        Raises:
            RequestError: the visitor has sent too many; says when the next may come.
        """
        if self.messages is None:
            return
        names = (f"session {visitor.session}", f"address {visitor.address}")
        with self._lock:
            if wait := max(self._sent.wait(name, messages, self.messages) for name in names):
                raise RequestError(
                    "this demo answers {most} messages a minute for each visitor; send it again "
                    "in {seconds} seconds",
                    most=self.messages,
                    seconds=math.ceil(wait),
                )
            for name in names:
                self._sent.add(name, messages)

    def bounded(self, sampling: AnySampling) -> AnySampling:
        """`sampling` with a reply no longer than is allowed."""
        if self.tokens is None:
            return sampling
        return replace(sampling, max_tokens=min(sampling.max_tokens, self.tokens))


def network(host: str) -> str:
    """An address; of IPv6 the network, of which one household has all addresses."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # no address: a proxy may write what it likes
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))

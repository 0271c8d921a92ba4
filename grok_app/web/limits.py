"""What each visitor of a public page may ask for: messages a minute, tokens a reply."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

import gradio as gr

from grok_app.chat import Sampling
from grok_app.errors import RequestError

_WINDOW = 60.0  # seconds


class Limits:
    """The limits of a page; without numbers there are none.

    A visitor is known by session and by address, and both must be within the limit: a new tab
    gives nobody more messages, and neither does a new address. What is remembered is who sent when,
    for a minute, so what this holds is bounded by what is let through.
    """

    def __init__(
        self,
        messages: int | None = None,
        tokens: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`messages` a minute and `tokens` a reply, for each visitor; `clock` is in seconds."""
        self.messages, self.tokens = messages, tokens
        self._clock, self._lock = clock, threading.Lock()
        self._recent: deque[tuple[float, str]] = deque()  # when and who, the oldest first
        self._sent: Counter[str] = Counter()  # how many of them are whose

    def admit(self, request: gr.Request, messages: int = 1) -> None:
        """Counts messages, whose replies are about to be made: all of them or none.

        Raises:
            RequestError: the visitor has sent too many; says when the next may come.
        """
        if self.messages is None:
            return
        visitor = (f"session {request.session_hash}", f"address {_address(request)}")
        with self._lock:
            now = self._clock()
            self._forget(now - _WINDOW)
            for name in visitor:
                if self._sent[name] + messages > self.messages:
                    sent = [when for when, who in self._recent if who == name]
                    oldest = sent[min(messages, len(sent)) - 1] if sent else now
                    raise RequestError(
                        f"this demo answers {self.messages} messages a minute for each visitor; "
                        f"send it again in {math.ceil(oldest + _WINDOW - now)} seconds"
                    )
            for name in visitor:
                self._recent.extend([(now, name)] * messages)
                self._sent[name] += messages

    def bounded(self, sampling: Sampling) -> Sampling:
        """`sampling` with a reply no longer than is allowed."""
        if self.tokens is None:
            return sampling
        return replace(sampling, max_tokens=min(sampling.max_tokens, self.tokens))

    def _forget(self, before: float) -> None:
        while self._recent and self._recent[0][0] <= before:
            _, name = self._recent.popleft()
            self._sent[name] -= 1
            if not self._sent[name]:
                del self._sent[name]


def _address(request: gr.Request) -> str:
    """Where a request is from; of IPv6 the network, of which one household has all addresses."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # no address: a proxy may write what it likes
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))

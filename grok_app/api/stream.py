"""Server-sent events, to readers quick, slow and gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable

from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from grok_app.api.errors import as_api_error
from grok_app.errors import GrokError

DONE = "[DONE]"


class EventStream(Response):
    """A response of one event for each object, and OpenAI's last.

    An event is made only when the one before it has been sent. So hardly any text waits in memory
    for a slow client, only the tokens of its replies.
    """

    media_type = "text/event-stream"

    def __init__(
        self, objects: AsyncGenerator[BaseModel], patience: float, end: Callable[[], None]
    ):
        """`patience` is how many seconds a client may take to read what fills its connection's
        buffers; then it is let go, and `objects` closed. `end` is called however it ends, also
        before the first object was asked for."""
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._objects, self._patience, self._end = objects, patience, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the objects as they come; lets a client go that does not read."""

        async def put(data: str, more: bool = True) -> None:
            body = f"data: {data}\n\n".encode()
            async with asyncio.timeout(self._patience):
                await send({"type": "http.response.body", "body": body, "more_body": more})

        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                async for made in self._objects:
                    await put(made.model_dump_json(exclude_unset=True))
            except GrokError as error:
                await put(json.dumps(as_api_error(error).body))
            await put(DONE, more=False)
        except TimeoutError:
            pass  # the server closes a connection whose response is not complete
        finally:
            await self._objects.aclose()
            self._end()

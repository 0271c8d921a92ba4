"""The endpoint `/chat` for programs: `gradio_client.Client(url).submit("Hi", api_name="/chat")`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr
from anyio import to_thread

from grok_app.chat import Persona, Turn
from grok_app.errors import GrokError, RequestError
from grok_app.replies import chat_wish, progress, start
from grok_app.web.page.notice import explain
from grok_app.web.server.limits import Limits, visitor_of

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine


def add_api(engine: Engine, personas: Sequence[Persona], limits: Limits) -> None:
    """Adds the endpoint to the page being built."""
    by_slug = {persona.slug: persona for persona in personas}

    async def chat(
        request: gr.Request,
        message: str,
        persona: str = personas[0].slug,
        history: list[dict[str, str]] = [],  # noqa: B006 - Gradio reads the default
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
    ) -> AsyncGenerator[str]:
        """Streams the growing reply to a message.

        `history` is a list of {"role": "user" or "assistant", "content": text}; settings not given
        are the persona's.
        """
        wishes: dict[str, Any] = {
            "temperature": temperature,
            "top_p": top_p,
            "max_tokens": max_tokens,
        }
        try:
            chosen = _persona(by_slug, persona)
            turns = _turns(history) + _turns([{"role": "user", "content": message}])
            given = {name: value for name, value in wishes.items() if value is not None}
            sampling = limits.bounded(replace(chosen.sampling, **given))
            limits.admit(visitor_of(request))
            wish = await to_thread.run_sync(
                lambda: chat_wish(engine, chosen, turns, sampling, seed=seed)
            )
            (reply,) = await start(engine, [wish])
            async with aclosing(progress(reply)) as growing:
                async for now in growing:
                    yield now.text
        except GrokError as error:
            raise gr.Error(explain(error, str), print_exception=False) from error

    gr.events.api(chat, api_name="chat", concurrency_limit=None, concurrency_id="replies")


def _persona(by_slug: dict[str, Persona], slug: str) -> Persona:
    if slug not in by_slug:
        raise RequestError(
            "there is no persona {slug!r}; there are {there_are}",
            field="persona",
            slug=slug,
            there_are=", ".join(by_slug),
        )
    return by_slug[slug]


def _turns(history: Any) -> list[Turn]:
    try:
        turns = [Turn(entry["role"], entry["content"]) for entry in history]
    except (KeyError, TypeError):
        turns = [Turn("user", None)]  # type: ignore[arg-type]
    for turn in turns:
        if turn.role not in ("user", "assistant") or not isinstance(turn.text, str):
            raise RequestError(
                'history is not a list of {{"role": "user" or "assistant", "content": text}}',
                field="history",
            )
    return turns

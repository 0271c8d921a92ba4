"""The quiet line below the conversation: what runs, how fast, how full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grok_app.chat import Prompt
from grok_app.web.reply import Progress

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine


def about(engine: Engine) -> str:
    """Which model runs, how large it is, where, and that a base model is speaking."""
    return (
        f"{engine.name} · {_count(engine.parameters)} parameters, "
        f"{_count(engine.active_parameters)} used by a token · {engine.device} · "
        "a base model: it continues text, and makes things up"
    )


def gauges(engine: Engine, prompt: Prompt, progress: Progress) -> str:
    """What a reply costs: context in use, speed, or the place in the queue."""
    if progress.place:
        return f"all {engine.slots} places are taken · number {progress.place} in the queue"
    parts = [f"context {prompt.tokens + progress.tokens} of {engine.context} tokens"]
    if progress.first is None:
        parts.append("reading the prompt ...")
    else:
        parts.append(f"first token after {progress.first:.2f} s")
    if progress.speed:
        parts.append(f"{progress.speed:.0f} tokens/s")
    if progress.ended == "length":
        parts.append("cut at its longest")
    if prompt.dropped:
        parts.append(f"the oldest {prompt.dropped} turns no longer fit and were left out")
    return " · ".join(parts)


def _count(number: int) -> str:
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return str(number)

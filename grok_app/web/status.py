"""The quiet line below the conversation: what runs, how fast, how full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grok_app.chat import Prompt
from grok_app.web.reply import Progress
from grok_app.web.words import Translate

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine


def about(engine: Engine, said: Translate) -> str:
    """Which model runs, how large it is, and where."""
    text = said("{name} · {all} parameters, {active} used by a token · {device}")
    return text.format(
        name=engine.name,
        all=_count(engine.parameters, said),
        active=_count(engine.active_parameters, said),
        device=engine.device,
    )


def gauges(engine: Engine, prompt: Prompt, progress: Progress, said: Translate) -> str:
    """What a reply costs: context in use, speed, or the place in the queue."""
    if progress.place:
        text = said("all {slots} places are taken · number {place} in the queue")
        return text.format(slots=engine.slots, place=progress.place)
    used = prompt.tokens + progress.tokens
    parts = [said("context {used} of {context} tokens").format(used=used, context=engine.context)]
    if progress.first is None:
        parts.append(said("reading the prompt ..."))
    else:
        seconds = _decimal(f"{progress.first:.2f}", said)
        parts.append(said("first token after {seconds} s").format(seconds=seconds))
    if progress.speed:
        parts.append(said("{speed} tokens/s").format(speed=f"{progress.speed:.0f}"))
    if progress.ended == "length":
        parts.append(said("cut at its longest"))
    if progress.ended == "stop" and not progress.text:
        parts.append(said("the model ended its reply before the first word"))
    if prompt.dropped:
        text = said("the oldest {dropped} turns no longer fit and were left out")
        parts.append(text.format(dropped=prompt.dropped))
    return " · ".join(parts)


def verdict(foreign: int, differing: int, said: Translate) -> str:
    """What came of a replay: how many replies were another model's, and how many differed."""
    if foreign:
        text = "{count} of the replies were made by another model and are shown as they were"
        return said(text).format(count=foreign)
    if differing:
        text = "{count} of the replies came out in other words here; shown as they were"
        return said(text).format(count=differing)
    return said("replayed: the very same words")


def _count(number: int, said: Translate) -> str:
    for size, text in ((1e9, said("{count} billion")), (1e6, said("{count} million"))):
        if number >= size:
            return text.format(count=_decimal(f"{number / size:.3g}", said))
    return str(number)


def _decimal(number: str, said: Translate) -> str:
    return number.replace(".", said("."))

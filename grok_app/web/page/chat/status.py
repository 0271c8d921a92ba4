"""The quiet line below the conversation: what runs, how fast, how full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grok_app.chat import Prompt
from grok_app.replies import Ended, Progress
from grok_app.web.page.words import Translate

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine


# What is said of how a reply ended: where it has a word, and where it has none.
_ENDED: dict[Ended, tuple[str, str]] = {
    "stop": ("", "the model ended its reply before the first word"),
    "length": ("cut at its longest", "cut at its longest, before the first word"),
    "stopped": ("", "stopped before the first word"),
    "left": (
        "ended, since no page had asked for it",
        "ended before the first word, since no page had asked for it",
    ),
    "failed": ("", ""),  # the error is told in place of this line
}


def about(engine: Engine, say: Translate) -> str:
    """Which model runs, how large it is, and where."""
    text = say("{name} · {all} parameters, {active} used by a token · {device}")
    return text.format(
        name=engine.name,
        all=_count(engine.parameters, say),
        active=_count(engine.active_parameters, say),
        device=engine.device,
    )


def gauges(engine: Engine, prompt: Prompt, progress: Progress, say: Translate) -> str:
    """What a reply costs: context in use, speed, or the place in the queue."""
    if progress.place:
        text = say("all {slots} places are taken · number {place} in the queue")
        return text.format(slots=engine.slots, place=progress.place)
    used = prompt.tokens + progress.tokens
    parts = [say("context {used} of {context} tokens").format(used=used, context=engine.context)]
    if progress.first is None and not progress.ended:
        parts.append(say("reading the prompt ..."))
    elif progress.first is not None:
        seconds = _decimal(f"{progress.first:.2f}", say)
        parts.append(say("first token after {seconds} s").format(seconds=seconds))
    if progress.speed:
        parts.append(say("{speed} tokens/s").format(speed=f"{progress.speed:.0f}"))
    if progress.ended and (text := _ENDED[progress.ended][not progress.grown]):
        parts.append(say(text))
    if prompt.dropped:
        text = say("the oldest {dropped} turns no longer fit and were left out")
        parts.append(text.format(dropped=prompt.dropped))
    return " · ".join(parts)


def verdict(foreign: int, differing: int, say: Translate) -> str:
    """What came of a replay: how many replies were another model's, and how many differed."""
    if foreign:
        text = "{count} of the replies were made by another model and are shown as they were"
        return say(text).format(count=foreign)
    if differing:
        text = "{count} of the replies came out in other words here; shown as they were"
        return say(text).format(count=differing)
    return say("replayed: the very same words")


def _count(number: int, say: Translate) -> str:
    for size, text in ((1e9, say("{count} billion")), (1e6, say("{count} million"))):
        if number >= size:
            return text.format(count=_decimal(f"{number / size:.3g}", say))
    return str(number)


def _decimal(number: str, say: Translate) -> str:
    return number.replace(".", say("."))

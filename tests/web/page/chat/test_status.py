"""The line below the conversation says how a reply ended."""

from dataclasses import dataclass, replace
from typing import Any, get_args

import pytest

from grok_app.chat import Prompt
from grok_app.replies import Ended, Progress
from grok_app.web.page.chat.status import gauges
from grok_app.web.page.words import to_german

TOLD = {  # how it ended, whether it has a word: what is told
    ("stop", True): "",
    ("stop", False): "the model ended its reply before the first word",
    ("length", True): "cut at its longest",
    ("length", False): "cut at its longest, before the first word",
    ("stopped", True): "",
    ("stopped", False): "stopped before the first word",
    ("left", True): "ended, since no page had asked for it",
    ("left", False): "ended before the first word, since no page had asked for it",
    ("failed", True): "",  # the error itself stands in place of the line
    ("failed", False): "",
}
PROMPT = Prompt("Hello", (1, 2), 8, 0)
MADE = Progress("Hi", 1, True, 0, 0.5, 0.0, None)


@dataclass
class Engine:
    slots: int = 2
    context: int = 64


def told(ended: Ended | None, grown: bool, say: Any = str) -> list[str]:
    """What the line says after the gauges of context and time."""
    progress = replace(MADE, ended=ended, grown=grown)
    parts = gauges(Engine(), PROMPT, progress, say).split(" · ")  # type: ignore[arg-type]
    return parts[2:]


@pytest.mark.parametrize("grown", [True, False], ids=["words", "no word"])
@pytest.mark.parametrize("how", get_args(Ended))
def test_how_a_reply_ended_is_told_and_nothing_else(how: Ended, grown: bool) -> None:
    text = TOLD[how, grown]
    assert told(how, grown) == ([text] if text else [])
    assert told(how, grown, to_german) == ([to_german(text)] if text else [])
    assert not text or to_german(text) != text


def test_nothing_is_told_of_an_end_before_there_is_one() -> None:
    assert told(None, True) == []

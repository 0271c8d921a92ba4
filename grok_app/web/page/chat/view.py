"""What of the chat's tab is to be seen anew, without a word about how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grok_app.chat import Conversation, Prompt
from grok_app.errors import GrokError

SAME: Any = object()
"""The value of what stays as it is."""


@dataclass(frozen=True)
class View:
    """Values for the parts of the tab; what is not given stays as it is.

    Attributes:
        conversation: what is open, to be kept by the browser and drawn.
        drawn: the same, where the browser has it already and only draws it.
        settled: whether it was drawn while its last reply grew, whose experts stay to be seen.
        place: the turn of its branch whose versions are offered; None for the last that has some.
        message: the text of the message box.
        begin: the text of *Begin its reply*.
        prompt: of the reply that is being made; None for none.
        status: the line below the conversation.
        persona: slug of who is to answer; the list of personas is drawn anew.
        preset: whether the persona's settings are to be set.
        verdict: of a replay: how many replies another model had made, and how many differed.
        error: what went wrong.
        notice: what the visitor should know.
    """

    conversation: Conversation = SAME
    drawn: Conversation = SAME
    settled: bool = False
    place: int | None = None
    message: str = SAME
    begin: str = SAME
    prompt: Prompt | None = SAME
    status: str = SAME
    persona: str = SAME
    preset: bool = False
    verdict: tuple[int, int] | None = None
    error: GrokError | None = None
    notice: str = ""

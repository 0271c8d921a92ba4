"""What a page knows of its conversation, and how events change it. No Gradio in here."""

from __future__ import annotations

from collections.abc import Sequence

from grok_app.chat import Turn
from grok_app.web.markup import harmless

Turns = tuple[Turn, ...]


def said(turns: Turns, text: str) -> Turns:
    """With a message of the person."""
    return (*turns, Turn("user", text))


def answered(turns: Turns, text: str) -> Turns:
    """With the model's reply, where there is any."""
    return (*turns, Turn("assistant", text)) if text else turns


def before_reply(turns: Turns, index: int) -> Turns:
    """Up to and with the person's message at `index` or the last one before: what is retried."""
    upto = turns[: index + 1]
    while upto and upto[-1].role != "user":
        upto = upto[:-1]
    return upto


def undone(turns: Turns, index: int) -> tuple[Turns, str]:
    """Without the person's message at `index` or before and all after it; and its text."""
    kept = before_reply(turns, index)
    return (kept[:-1], kept[-1].text) if kept else (turns, "")


def edited(turns: Turns, index: int, text: str) -> Turns:
    """With another text at `index`; after a changed message of the person nothing follows."""
    if not 0 <= index < len(turns):
        return turns
    changed = Turn(turns[index].role, text)
    if changed.role == "user":
        return (*turns[:index], changed)
    return (*turns[:index], changed, *turns[index + 1 :])


def messages(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """The turns as the page's chat shows them."""
    return [{"role": turn.role, "content": harmless(turn.text)} for turn in turns]

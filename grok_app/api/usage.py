"""What a request has cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grok_app.api.schemas import Usage
from grok_app.replies import Reply


def usage(prompts: Iterable[int], replies: Sequence[Reply]) -> Usage:
    """Tokens of all prompts, given by their lengths, and of all replies."""
    read, made = sum(prompts), sum(len(reply.pieces) for reply in replies)
    return Usage(prompt_tokens=read, completion_tokens=made, total_tokens=read + made)

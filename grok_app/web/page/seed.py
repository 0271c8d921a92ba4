"""The seed as a person types it."""

from __future__ import annotations

import secrets

from grok_app.errors import RequestError
from grok_app.sampling import SEEDS


def read_seed(text: str | None) -> int:
    """The seed that was typed; a new one where nothing was, as in a fold that was never opened.

    Raises:
        RequestError: it is no whole number.
    """
    if not text or not text.strip():
        return secrets.randbelow(SEEDS)
    try:
        return int(text)
    except ValueError:
        raise RequestError(
            "the seed is {given!r}; expected a whole number or nothing", field="seed", given=text
        ) from None

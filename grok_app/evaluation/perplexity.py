"""Perplexity: how surprised a model is by a text, on average a token.

The text is read in windows as long as the context, each half over the one before, and a token is
judged in the window that gives it the most to go by: at least half a context, but at the start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine


@dataclass(frozen=True)
class Window:
    """Tokens `start` to `end` of a text, of which those from `judged` on are judged."""

    start: int
    judged: int
    end: int


def windows(length: int, context: int) -> Iterator[Window]:
    """The windows that together judge every token of a text but its first, once each."""
    judged, end = 1, min(context, length)
    while judged < length:
        yield Window(max(0, end - context), judged, end)
        judged, end = end, min(end + context // 2, length)


def surprises(
    engine: Engine, ids: Sequence[int], remaining: Sequence[Window]
) -> Iterator[list[float]]:
    """Negative log-likelihood, in nats, of the tokens that each window judges; of as many windows
    at once as the memory allows.

    Raises:
        RequestError, EngineFailed: as `Engine.score_all`.
    """
    for first in range(0, len(remaining), engine.scored_texts):
        batch = remaining[first : first + engine.scored_texts]
        chunks = engine.score_all([ids[window.start : window.end] for window in batch])
        logprobs = np.concatenate([scores.logprob for scores in chunks], axis=1)
        yield [
            -math.fsum(row[w.judged - w.start - 1 : w.end - w.start - 1])
            for row, w in zip(logprobs, batch, strict=True)
        ]


def summary(nats: float, tokens: int, size: int) -> dict[str, Any]:
    """What is reported of `tokens` judged in a text of `size` bytes; the last compares models with
    unlike tokenizers."""
    return {
        "tokens": tokens,
        "bytes": size,
        "nats_per_token": nats / tokens,
        "perplexity": math.exp(nats / tokens),
        "bits_per_byte": nats / math.log(2) / size,
    }

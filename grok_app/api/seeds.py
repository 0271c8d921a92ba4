"""Several replies to one prompt."""

from __future__ import annotations

from dataclasses import replace

from grok_app.replies import Wish
from grok_app.sampling import SEEDS


def with_seed(wish: Wish, seed: int | None, k: int) -> Wish:
    """The wish for the k-th reply, whose seed is `seed` + k, whatever stands beside it; without a
    seed each reply draws its own."""
    own = None if seed is None else (seed + k) % SEEDS
    return replace(wish, params=replace(wish.params, seed=own))

"""Whether a platform's kernels do as XLA's form does: tried on a small layer before they serve."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from grok_app.kernels import XLA, Platform
from grok_app.model.attention import rotary_angles
from grok_app.model.cache import empty_cache, stored_type
from grok_app.model.config import GROK_1
from grok_app.model.serving import Pass, strategy_of
from grok_app.model.strategy import Strategy
from grok_app.model.weights import QuantizedWeight

log = logging.getLogger(__name__)

_CLOSE = 0.03  # of the largest number; XLA may round factors to 8 bits of mantissa
_LAYERS, _LAYER, _ROWS, _WIDTH, _HIDDEN, _SIZE = 2, 1, 3, 256, 192, 64
_EXPERTS, _CHOSEN, _HEADS, _GROUPS = 4, 2, 4, 2
_CHUNK = 20  # tokens, as of a prompt

Steps = dict[str, Callable[[Strategy], Any]]
"""The steps of a layer that a strategy may do by kernels."""


def kernels_agree(platform: Platform, dtype: str) -> bool:
    """Whether each step of a small layer, by the kernels, is near XLA's form of it. The log names
    those that are not, or that cannot be compiled."""
    differing = []
    for tokens in (1, _CHUNK):
        work, steps = _layer(dtype, tokens)
        ours, plain = (strategy_of(work, p) for p in (platform, replace(platform, kernels=XLA)))
        differing += [name for name, step in steps.items() if not _agree(name, step, ours, plain)]
    return not differing


def _agree(name: str, step: Callable[[Strategy], Any], ours: Strategy, plain: Strategy) -> bool:
    try:
        pairs = zip(_numbers(step, ours), _numbers(step, plain), strict=True)
        apart = max(np.abs(a - b).max() / max(1e-9, np.abs(b).max()) for a, b in pairs)
    except Exception as error:  # of whatever kind: the compiler's are many
        log.warning("the kernels for %s cannot be used: %s", name, str(error)[:500])
        return False
    if not apart < _CLOSE:
        log.warning("the kernels for %s differ from XLA's form by %.3g", name, apart)
        return False
    return True


def _numbers(step: Callable[[Strategy], Any], strategy: Strategy) -> Iterator[np.ndarray]:
    made = jax.jit(lambda: step(strategy))()
    return (np.asarray(leaf, np.float32) for leaf in jax.tree.leaves(made))


def _layer(dtype: str, tokens: int) -> tuple[Pass, Steps]:
    """Tokens of a few conversations, one of which is padding, and the steps of a layer."""
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> Any:
        return jnp.asarray(rng.standard_normal(shape), jnp.float32)

    def stack(*shape: int, groups: int = 1) -> QuantizedWeight:
        scales = rng.uniform(0.0005, 0.001, (_LAYERS, *shape[:-2], groups, shape[-1]))
        weight = rng.integers(-127, 128, (_LAYERS, *shape), np.int8)
        return QuantizedWeight(jnp.asarray(weight), jnp.asarray(scales, jnp.bfloat16))

    cache = empty_cache(_LAYERS, _ROWS, _GROUPS, 1, _SIZE, stored_type(dtype))
    cache = replace(
        cache,
        keys=floats(*cache.keys.shape).astype(cache.keys.dtype),
        values=floats(*cache.values.shape).astype(cache.values.dtype),
        visible=jnp.ones_like(cache.visible),
    )
    first = jnp.array([[0], [cache.length - tokens], [cache.length]])
    positions = first + jnp.arange(tokens)
    live = positions < cache.length
    config = replace(GROK_1, num_experts=_EXPERTS, num_selected_experts=_CHOSEN)
    work = Pass(config, positions, 0, live, live, jnp.dtype(dtype))
    x, out = floats(_ROWS, tokens, _WIDTH), floats(_ROWS, tokens, _WIDTH)
    router = floats(_LAYERS, _WIDTH, _EXPERTS)
    scale, after = floats(_LAYERS, _WIDTH), floats(_LAYERS, _WIDTH)
    q, k, v = (stack(_WIDTH, many * _SIZE) for many in (_HEADS, _GROUPS, _GROUPS))
    up = stack(_EXPERTS, _WIDTH, _HIDDEN), stack(_EXPERTS, _WIDTH, _HIDDEN)
    down, square = stack(_EXPERTS, _HIDDEN, _WIDTH, groups=8), stack(_WIDTH, _WIDTH, groups=8)
    angles, rows = rotary_angles(positions, _SIZE), x.reshape(-1, _WIDTH)

    def experts(s: Strategy) -> Any:
        _, gates, chosen = s.route(rows, router, _LAYER, _CHOSEN)
        return s.experts(rows, gates, chosen, (*up, down), _LAYER)

    steps: Steps = {
        "norms": lambda s: (s.norm(x, scale, _LAYER), s.add_norm(x, out, scale, _LAYER)),
        "the norm between blocks": lambda s: s.add_norm_norm(x, out, scale, after, _LAYER),
        "products": lambda s: s.multiply(square, rows.astype(dtype), _LAYER),
        "attention": lambda s: s.attention(x, (q, k, v), angles, cache, _LAYER)[0][:2],
        "the router": lambda s: s.route(rows, router, _LAYER, _CHOSEN)[::2],
        "experts": experts,
    }
    return work, steps

"""Chooses the next token of every slot, on the device.

B slots, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax

from grok_app.engine.request import MOST_LOGPROBS

_NEVER = -1e30


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sampling:
    """The sampling settings of B slots, each an array [B]; see `SamplingParams`."""

    temperature: Array
    top_p: Array
    top_k: Array
    min_p: Array
    repetition_penalty: Array
    seed: Array
    logprobs: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sampled:
    """The tokens chosen for B slots.

    Attributes:
        token: int32 [B].
        logprob: float32 [B], of the model's own distribution.
        top, top_logprob: [B, MOST_LOGPROBS], the likeliest tokens; zeros if nobody asked.
    """

    token: Array
    logprob: Array
    top: Array
    top_logprob: Array


def sample(logits: Array, seen: Array, position: Array, sampling: Sampling) -> Sampled:
    """One token a slot from `logits` float32 [B, V].

    A slot's choice depends on its own row, settings and the `position` [B] the token will have
    in its text: never on its neighbours.

    Args:
        seen: bool [B, V], the tokens in each slot's context.
    """
    penalty = sampling.repetition_penalty[:, None]
    penalized = jnp.where(logits > 0, logits / penalty, logits * penalty)
    scores = jnp.where(seen, penalized, logits)
    drawn = jnp.any(sampling.temperature > 0)
    scores = lax.cond(drawn, lambda: _perturbed(scores, position, sampling), lambda: scores)
    token = _argmax(scores)
    logprobs = jax.nn.log_softmax(logits)
    most = min(MOST_LOGPROBS, logits.shape[-1])
    top_logprob, top = lax.cond(
        jnp.any(sampling.logprobs > 0),
        lambda: tuple(lax.top_k(logprobs, most)),
        lambda: (jnp.zeros((len(logits), most)), jnp.zeros((len(logits), most), jnp.int32)),
    )
    logprob = jnp.take_along_axis(logprobs, token[:, None], axis=-1)[:, 0]
    return Sampled(token.astype(jnp.int32), logprob, top, top_logprob)


def _argmax(scores: Array) -> Array:
    """The first of the largest in each row [B], as `jnp.argmax`, but several times as fast on a
    processor."""
    return lax.top_k(scores, 1)[1][:, 0]


def _perturbed(scores: Array, position: Array, sampling: Sampling) -> Array:
    """Scores whose largest is a draw after temperature and filters, by the Gumbel-max trick; those
    of greedy rows as they are."""
    greedy = sampling.temperature[:, None] <= 0
    scaled = scores / jnp.where(greedy, 1.0, sampling.temperature[:, None])

    def noise(seed: Array, position: Array) -> Array:
        key = jax.random.fold_in(jax.random.key(seed), position)
        return jax.random.gumbel(key, scores.shape[1:])

    drawn = _filter(scaled, sampling) + jax.vmap(noise)(sampling.seed, position)
    return jnp.where(greedy, scores, drawn)


def _filter(scores: Array, sampling: Sampling) -> Array:
    """Scores with all but the tokens kept by top-k, then top-p, then min-p made impossible."""
    scores = _kept(jnp.any(sampling.top_k > 0), keep_top_k, scores, sampling.top_k)
    scores = _kept(jnp.any(sampling.top_p < 1), keep_top_p, scores, sampling.top_p)
    floor = jnp.max(scores, axis=-1, keepdims=True) + jnp.log(sampling.min_p)[:, None]
    return jnp.where(scores >= floor, scores, _NEVER)


def _kept(
    wanted: Array, keep: Callable[[Array, Array], Array], scores: Array, limit: Array
) -> Array:
    """Scores with all but those that `keep` keeps made impossible; no work if unwanted."""
    return lax.cond(wanted, lambda: jnp.where(keep(scores, limit), scores, _NEVER), lambda: scores)


def keep_top_k(scores: Array, top_k: Array) -> Array:
    """Which of `scores` [B, V] are among the `top_k` [B] largest; all ties, or all if 0."""
    k = jnp.where(top_k > 0, top_k, scores.shape[-1])

    def enough(keys: Array, threshold: Array) -> Array:
        return jnp.sum(keys >= threshold, axis=-1) >= k

    return _at_least_the_largest(scores, enough)


def keep_top_p(scores: Array, top_p: Array) -> Array:
    """Which tokens nucleus sampling keeps (Holtzman et al., arXiv 1904.09751).

    As the release: sorted upwards, those from the first at which the summed probability
    reaches 1 - `top_p` [B].
    """
    probabilities = jax.nn.softmax(scores)

    def short(keys: Array, threshold: Array) -> Array:
        below = jnp.sum(jnp.where(keys < threshold, probabilities, 0.0), axis=-1)
        return below < 1 - top_p

    # With `top_p` near 0 rounding may put the threshold above all: the likeliest always stays.
    likeliest = scores >= jnp.max(scores, axis=-1, keepdims=True)
    return likeliest | _at_least_the_largest(scores, short)


def _at_least_the_largest(scores: Array, holds: Callable[[Array, Array], Array]) -> Array:
    """Which `scores` [B, V] are at or above the largest threshold for which `holds`.

    `holds` maps (keys [B, V], threshold [B, 1]) to bool [B], true up to some threshold. That is
    found bit by bit in 32 passes, where sorting the vocabulary would take many times as long.
    """
    bits = lax.bitcast_convert_type(scores, jnp.uint32)
    top = jnp.uint32(1 << 31)
    keys = jnp.where(bits >= top, ~bits, bits | top)  # unsigned integers in the floats' order

    def try_bit(i: Array, threshold: Array) -> Array:
        higher = threshold | (top >> i.astype(jnp.uint32))
        return jnp.where(holds(keys, higher)[:, None], higher, threshold)

    start = jnp.zeros((len(scores), 1), jnp.uint32)
    return keys >= lax.fori_loop(0, 32, try_bit, start)

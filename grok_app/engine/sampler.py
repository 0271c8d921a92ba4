"""Chooses the next token of every slot, on the device.

B slots, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array, lax

from grok_app.sampling import MOST_LOGPROBS

_ROWS = 4  # so many together take a processor little longer than one


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
    scores = jnp.where(seen, logits * jnp.where(logits > 0, 1 / penalty, penalty), logits)
    likeliest = _argmax(scores)
    token = lax.cond(
        jnp.any(sampling.temperature > 0),
        lambda: _drawn(scores, likeliest, position, sampling),
        lambda: likeliest,
    )
    total = jax.nn.logsumexp(logits, axis=-1, keepdims=True)
    most = min(MOST_LOGPROBS, logits.shape[-1])

    def largest() -> tuple[Array, Array]:
        top_logit, top = lax.top_k(logits, most)
        return top_logit - total, top

    nothing = jnp.zeros((len(logits), most)), jnp.zeros((len(logits), most), jnp.int32)
    top_logprob, top = lax.cond(jnp.any(sampling.logprobs > 0), largest, lambda: nothing)
    logit = jnp.take_along_axis(logits, token[:, None], axis=-1)
    return Sampled(token, (logit - total)[:, 0], top, top_logprob)


def sample_live(
    logits: Array,
    seen: Array,
    position: Array,
    sampling: Sampling,
    live: Array,
    in_groups: bool,
) -> Sampled:
    """As `sample`, for slots that are `live` bool [B]; what the others get means nothing.

    `in_groups`, best on a processor, takes a few of them at a time, so that the others cost
    nothing: always as many together, as what a row is computed with may change its last bits.
    """
    slots = len(live)
    sampling = replace(sampling, temperature=jnp.where(live, sampling.temperature, 0.0))
    if slots <= _ROWS or not in_groups:
        return sample(logits, seen, position, sampling)
    order = jnp.argsort(~live)  # stable, the live ones first
    chosen = jax.eval_shape(sample, logits, seen, position, sampling)

    def add_rows(i: Array, sampled: Sampled) -> Sampled:
        at = order[(i * _ROWS + jnp.arange(_ROWS)) % slots]
        given = jax.tree.map(lambda a: a[at], (logits, seen, position, sampling))
        return jax.tree.map(lambda a, new: a.at[at].set(new), sampled, sample(*given))

    nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), chosen)
    return lax.fori_loop(0, -(-jnp.sum(live) // _ROWS), add_rows, nothing)


def _argmax(scores: Array) -> Array:
    """The first of the largest in each row int32 [B], as `jnp.argmax`, but several times as fast on
    a processor."""
    length = scores.shape[-1]
    largest = scores >= scores.max(axis=-1, keepdims=True)
    first = jnp.min(jnp.where(largest, jnp.arange(length, dtype=jnp.int32), length), axis=-1)
    return jnp.minimum(first, length - 1)  # none is the largest where one is no number


def _drawn(scores: Array, likeliest: Array, position: Array, sampling: Sampling) -> Array:
    """A token a slot [B], drawn after temperature, top-k, top-p and min-p; the likeliest of greedy
    rows, and where there are no numbers to draw by.

    By rejection (FlashInfer, arXiv 2501.01005): a token that top-p does not keep is drawn in vain,
    and so would be all that are less likely. A draw fails with a probability of at most
    1 - `top_p`; sorting the vocabulary, or searching a threshold, goes over it many times.
    """
    greedy = (sampling.temperature <= 0) | (sampling.top_p <= 0)
    scaled = scores * (1 / jnp.where(greedy, 1.0, sampling.temperature))[:, None]
    weights = jnp.exp(scaled - scaled.max(axis=-1, keepdims=True))  # of the likeliest: 1
    weights = lax.cond(
        jnp.any(sampling.top_k > 0),
        lambda: jnp.where(keep_top_k(scaled, sampling.top_k), weights, 0.0),
        lambda: weights,
    )
    fit = jnp.where(weights >= sampling.min_p[:, None], weights, 0.0)
    keys = jax.vmap(lambda seed, at: jax.random.fold_in(jax.random.key(seed), at))(
        sampling.seed, position
    )

    def draw(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        turn, token, floor, done = state
        share = jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, turn)))(keys)
        drawn = first_past(jnp.where(fit > floor[:, None], fit, 0.0), share)
        weight = jnp.take_along_axis(fit, drawn[:, None], axis=-1)[:, 0]
        failed = ~(weight > floor)  # by rounding, or no number
        kept = in_nucleus(weights, weight, sampling.top_p)
        token = jnp.where(done | ~kept | failed, token, drawn)
        return turn + 1, token, jnp.where(done, floor, weight), done | kept | failed

    start = jnp.int32(0), likeliest, jnp.zeros(len(scores)), greedy
    return lax.while_loop(lambda state: ~jnp.all(state[-1]), draw, start)[1]


def in_nucleus(weights: Array, weight: Array, top_p: Array) -> Array:
    """Whether nucleus sampling (Holtzman et al., arXiv 1904.09751) keeps a token of `weight` [B].

    As the release: sorted upwards, tokens are kept from the first at which the summed probability
    reaches 1 - `top_p` [B].

    Args:
        weights: [B, V], what the probabilities of the row are proportional to; the largest is 1.
    """
    least = (1 - top_p) * weights.sum(axis=-1)
    up_to = jnp.sum(jnp.where(weights <= weight[:, None], weights, 0.0), axis=-1)
    return (up_to >= least) | (weight >= 1)  # rounding never excludes the likeliest


def first_past(weights: Array, share: Array) -> Array:
    """Where the running sum of `weights` [B, V] first exceeds a `share` [B] of the whole.

    First the block is found, then the place in it, as running sums take long. Rounding may end at
    a neighbour whose weight is zero.
    """
    rows, length = weights.shape
    size = 1 << (length.bit_length() // 2)
    blocks = jnp.pad(weights, ((0, 0), (0, -length % size))).reshape(rows, -1, size)
    ends = jnp.cumsum(blocks.sum(axis=-1), axis=-1)
    target = share * ends[:, -1]
    block = _count_up_to(target, ends)
    within = jnp.take_along_axis(blocks, block[:, None, None], axis=1)[:, 0]
    before = jnp.take_along_axis(ends, block[:, None], axis=-1)[:, 0] - within.sum(axis=-1)
    place = _count_up_to(target - before, jnp.cumsum(within, axis=-1))
    return jnp.minimum(block * size + place, length - 1)


def _count_up_to(target: Array, sums: Array) -> Array:
    """How many of the rising `sums` [B, n] do not exceed `target` [B], but fewer than all."""
    return jnp.minimum(jnp.sum(sums <= target[:, None], axis=-1), sums.shape[-1] - 1)


def keep_top_k(scores: Array, top_k: Array) -> Array:
    """Which of `scores` [B, V] are among the `top_k` [B] largest; all ties, or all if 0.

    The least of them is found bit by bit in 32 passes, where sorting would take many times as long.
    """
    k = jnp.where(top_k > 0, top_k, scores.shape[-1])
    bits = lax.bitcast_convert_type(scores, jnp.uint32)
    top = jnp.uint32(1 << 31)
    keys = jnp.where(bits >= top, ~bits, bits | top)  # unsigned integers in the floats' order

    def try_bit(i: Array, threshold: Array) -> Array:
        higher = threshold | (top >> i.astype(jnp.uint32))
        enough = jnp.sum(keys >= higher, axis=-1) >= k
        return jnp.where(enough[:, None], higher, threshold)

    start = jnp.zeros((len(scores), 1), jnp.uint32)
    return keys >= lax.fori_loop(0, 32, try_bit, start)

"""How likely given texts are to the model, token by token.

Several texts go through the model side by side, in chunks as long as those of a prompt and with a
cache of their own; between two of them the engine serves the others. R texts, C tokens of a chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from grok_app.engine.request import MOST_LOGPROBS
from grok_app.engine.runner import CHUNKS, Runner
from grok_app.model.cache import KVCache, empty_cache
from grok_app.model.grok import extend
from grok_app.model.sharding import MODEL, parameter_specs, shard_of

CHUNK = CHUNKS[-1]

_HEADS: Any = P(None, None, MODEL)
_WHOLE: Any = P()
_CACHE_SPEC = KVCache(_HEADS, _HEADS, _WHOLE)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Scores:
    """What the model held of some tokens, each seen from those before it.

    Attributes:
        logprob: float32 [..., tokens], the token's log-probability.
        top, top_logprob: [..., tokens, MOST_LOGPROBS], the likeliest tokens there.
    """

    logprob: Any
    top: Any
    top_logprob: Any


class Scorer:
    """The program that scores a chunk of so many texts. Every data shard does the same work."""

    def __init__(self, runner: Runner, rows: int):
        """Compiles it for the runner's model; may be called by any thread."""
        self._runner, self._config, self._rows = runner, runner.config, rows
        self._shard = shard_of(runner.config, runner.mesh.shape[MODEL])
        mapped = jax.shard_map(
            self._score,
            mesh=runner.mesh,
            in_specs=(parameter_specs(runner.config), _CACHE_SPEC, *[_WHOLE] * 4),
            out_specs=(_CACHE_SPEC, _WHOLE),
            check_vma=False,
        )
        program: Any = jax.jit(mapped, donate_argnums=(1,))
        start = jax.ShapeDtypeStruct((), jnp.int32)
        counts = jax.ShapeDtypeStruct((rows,), jnp.int32)
        tokens = jax.ShapeDtypeStruct((rows, CHUNK), jnp.int32)
        shardings = jax.tree.map(partial(NamedSharding, runner.mesh), _CACHE_SPEC)
        self._empty = jax.jit(self._empty_cache, out_shardings=shardings)
        cache = jax.tree.map(_placed, jax.eval_shape(self._empty), shardings)
        params = jax.tree.map(lambda array: _placed(array, array.sharding), runner.params)
        self._program = program.lower(params, cache, tokens, tokens, start, counts).compile()

    def empty_cache(self) -> KVCache:
        """A cache for the texts, each as long as a slot's."""
        return self._empty()

    def _empty_cache(self) -> KVCache:
        """In the type of the computation: scores are to be compared."""
        config, heads = self._config, self._shard.kv_heads * self._shard.devices
        size = config.num_layers, self._rows, heads, self._runner.slots.cache.length
        return empty_cache(*size, config.key_size, self._runner.dtype)

    def score(
        self, cache: KVCache, texts: Sequence[Sequence[int]], start: int
    ) -> tuple[KVCache, Scores]:
        """Dispatches the chunk of each text from `start`, at most R texts; scores [R, C] of the
        tokens after those of the chunk. Where there is none, a score means nothing."""
        tokens = np.zeros((self._rows, CHUNK), np.int32)
        following = np.zeros((self._rows, CHUNK), np.int32)
        counts = np.zeros(self._rows, np.int32)
        for row, ids in enumerate(texts):
            here, after = ids[start : start + CHUNK], ids[start + 1 : start + 1 + CHUNK]
            tokens[row, : len(here)], following[row, : len(after)] = here, after
            counts[row] = len(here)
        return self._program(self._runner.params, cache, tokens, following, np.int32(start), counts)

    def _score(
        self,
        params: Any,
        cache: KVCache,
        tokens: Array,
        following: Array,
        start: Array,
        counts: Array,
    ) -> tuple[KVCache, Scores]:
        """Tokens [R, C] at positions from `start`, of which `counts` [R] are real, and what follows
        each -> the cache with them, and scores of what follows."""
        offsets = jnp.arange(tokens.shape[1])
        positions = jnp.where(offsets < counts[:, None], start + offsets, cache.length)
        logits, cache, _ = extend(
            params,
            self._config,
            self._shard,
            tokens,
            positions,
            cache,
            dtype=self._runner.dtype,
            native=self._runner.native,
        )
        logprobs = jax.nn.log_softmax(logits)
        logprob = jnp.take_along_axis(logprobs, following[..., None], axis=-1)[..., 0]
        top_logprob, top = jax.lax.top_k(logprobs, min(MOST_LOGPROBS, logprobs.shape[-1]))
        return cache, Scores(logprob, top, top_logprob)


def _placed(array: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    """What stands for an array until there is one."""
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)

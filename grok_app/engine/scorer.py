"""How likely a given text is to the model, token by token.

The text goes through the model in chunks as long as those of a prompt, with a cache of its own;
between two of them the engine serves the others. C tokens of a chunk, V vocabulary.
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
        logprob: float32 [tokens], the token's log-probability.
        top, top_logprob: [tokens, MOST_LOGPROBS], the likeliest tokens there.
    """

    logprob: Any
    top: Any
    top_logprob: Any


class Scorer:
    """The program that scores a chunk. Every data shard does the same work."""

    def __init__(self, runner: Runner):
        """Compiles it for the runner's model; may be called by any thread."""
        self._runner, self._config = runner, runner.config
        self._shard = shard_of(runner.config, runner.mesh.shape[MODEL])
        mapped = jax.shard_map(
            self._score,
            mesh=runner.mesh,
            in_specs=(parameter_specs(runner.config), _CACHE_SPEC, *[_WHOLE] * 4),
            out_specs=(_CACHE_SPEC, _WHOLE),
            check_vma=False,
        )
        program: Any = jax.jit(mapped, donate_argnums=(1,))
        number = jax.ShapeDtypeStruct((), jnp.int32)
        tokens = jax.ShapeDtypeStruct((CHUNK,), jnp.int32)
        cache = jax.tree.map(_described, self.empty_cache())
        params = jax.tree.map(_described, runner.params)
        self._program = program.lower(params, cache, tokens, tokens, number, number).compile()

    def empty_cache(self) -> KVCache:
        """A cache for one text as long as the model can read."""
        config, heads = self._config, self._shard.kv_heads * self._shard.devices
        cache = partial(empty_cache, config.num_layers, 1, heads, config.sequence_len)
        shardings = jax.tree.map(partial(NamedSharding, self._runner.mesh), _CACHE_SPEC)
        make = jax.jit(lambda: cache(config.key_size, self._runner.dtype), out_shardings=shardings)
        return make()

    def score(self, cache: KVCache, ids: Sequence[int], start: int) -> tuple[KVCache, Scores]:
        """Dispatches the chunk of `ids` from `start`; one score for each token but the text's
        first, rows that stand for no token at their end."""
        tokens = np.zeros(CHUNK, np.int32)
        following = np.zeros(CHUNK, np.int32)
        here, after = ids[start : start + CHUNK], ids[start + 1 : start + 1 + CHUNK]
        tokens[: len(here)], following[: len(after)] = here, after
        numbers = np.int32(start), np.int32(len(here))
        return self._program(self._runner.params, cache, tokens, following, *numbers)

    def _score(
        self,
        params: Any,
        cache: KVCache,
        tokens: Array,
        following: Array,
        start: Array,
        count: Array,
    ) -> tuple[KVCache, Scores]:
        """Tokens [C] at positions from `start`, of which `count` are real, and what follows each
        -> the cache with them, and scores of what follows."""
        offsets = jnp.arange(len(tokens))
        positions = jnp.where(offsets < count, start + offsets, cache.length)
        logits, cache, _ = extend(
            params,
            self._config,
            self._shard,
            tokens[None],
            positions[None],
            cache,
            dtype=self._runner.dtype,
            native=self._runner.native,
        )
        logprobs = jax.nn.log_softmax(logits[0])
        logprob = jnp.take_along_axis(logprobs, following[:, None], axis=-1)[:, 0]
        top_logprob, top = jax.lax.top_k(logprobs, min(MOST_LOGPROBS, logprobs.shape[-1]))
        return cache, Scores(logprob, top, top_logprob)


def _described(array: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding)

"""How likely given texts are to the model, token by token, and what is to be seen of its work.

Several texts go through the model side by side, in chunks and with a cache of their own; between
two chunks the engine serves the others. R texts, C tokens of a chunk.
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

from grok_app.engine.changing import changes_of
from grok_app.engine.runner import Runner
from grok_app.interventions import Intervention
from grok_app.model.cache import KVCache, empty_cache
from grok_app.model.changes import Changes
from grok_app.model.serving import extend
from grok_app.model.sharding import MODEL, parameter_specs, shard_of
from grok_app.model.watch import NOTHING, Notes, Watch
from grok_app.options import SCORED_CHUNK
from grok_app.sampling import MOST_LOGPROBS

CHUNK = SCORED_CHUNK

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
    """The programs for a chunk of so many texts. Every data shard does the same work.

    Attributes:
        chunk: C.
    """

    def __init__(
        self,
        runner: Runner,
        rows: int,
        watch: Watch = NOTHING,
        changed: bool = False,
        chunk: int = CHUNK,
    ):
        """Compiles them for the runner's model; may be called by any thread. Only if `changed` do
        they take interventions."""
        self._runner, self._config, self._rows = runner, runner.config, rows
        self._watch, self.chunk = watch, chunk
        self._shard = shard_of(runner.config, runner.mesh.shape[MODEL])
        mapped = jax.shard_map(
            self._extend,
            mesh=runner.mesh,
            in_specs=(parameter_specs(runner.config), _CACHE_SPEC, *[_WHOLE] * (3 + changed)),
            out_specs=(_CACHE_SPEC, _WHOLE, _WHOLE),
            check_vma=False,
        )
        program: Any = jax.jit(mapped, donate_argnums=(1,))
        start = jax.ShapeDtypeStruct((), jnp.int32)
        counts = jax.ShapeDtypeStruct((rows,), jnp.int32)
        tokens = jax.ShapeDtypeStruct((rows, chunk), jnp.int32)
        shardings = jax.tree.map(partial(NamedSharding, runner.mesh), _CACHE_SPEC)
        self._empty = jax.jit(self._empty_cache, out_shardings=shardings)
        cache = jax.tree.map(_placed, jax.eval_shape(self._empty), shardings)
        params = jax.tree.map(lambda array: _placed(array, array.sharding), runner.params)
        changes = [changes_of(runner.config, [()] * rows)] if changed else []
        lowered = program.lower(params, cache, tokens, start, counts, *changes)
        logits = _placed(lowered.out_info[1], NamedSharding(runner.mesh, _WHOLE))
        self._program = lowered.compile()
        self._scores = jax.jit(_scores).lower(logits, tokens).compile()

    def empty_cache(self) -> KVCache:
        """A cache for the texts, each as long as a slot's."""
        return self._empty()

    def _empty_cache(self) -> KVCache:
        """In the type of the computation: scores are to be compared."""
        config, heads = self._config, self._shard.kv_heads * self._shard.devices
        size = config.num_layers, self._rows, heads, self._runner.slots.cache.length
        return empty_cache(*size, config.key_size, self._runner.dtype)

    def extend(
        self,
        cache: KVCache,
        texts: Sequence[Sequence[int]],
        start: int,
        interventions: tuple[Intervention, ...] = (),
    ) -> tuple[KVCache, Array, Notes]:
        """Dispatches the chunk of each text from `start`, at most R texts: the cache with it, its
        logits float32 [R, C, vocabulary], and what is watched, as `model.serving.extend` gives it.
        Where there is no token, they mean nothing."""
        counts = np.array([*map(len, texts)] + [0] * (self._rows - len(texts)), np.int32)
        counts = np.clip(counts - start, 0, self.chunk)
        tokens = self._chunk(texts, start)
        given = self._runner.params, cache, tokens, np.int32(start), counts
        if not interventions:
            return self._program(*given)
        return self._program(*given, changes_of(self._config, [interventions] * self._rows))

    def score(
        self,
        cache: KVCache,
        texts: Sequence[Sequence[int]],
        start: int,
        interventions: tuple[Intervention, ...] = (),
    ) -> tuple[KVCache, Scores, Notes]:
        """As `extend`, with scores [R, C] of the tokens after those of the chunk, not logits."""
        cache, logits, seen = self.extend(cache, texts, start, interventions)
        return cache, self._scores(logits, self._chunk(texts, start + 1)), seen

    def _chunk(self, texts: Sequence[Sequence[int]], start: int) -> np.ndarray:
        """int32 [R, C], what there is of each text from `start` on."""
        tokens = np.zeros((self._rows, self.chunk), np.int32)
        for row, ids in enumerate(texts):
            chunk = ids[start : start + self.chunk]
            tokens[row, : len(chunk)] = chunk
        return tokens

    def _extend(
        self,
        params: Any,
        cache: KVCache,
        tokens: Array,
        start: Array,
        counts: Array,
        changes: Changes | None = None,
    ) -> tuple[KVCache, Array, Notes]:
        """Tokens [R, C] at positions from `start`, of which `counts` [R] are real -> the cache with
        them, their logits [R, C, vocabulary], and what is watched."""
        offsets = jnp.arange(tokens.shape[1])
        positions = jnp.where(offsets < counts[:, None], start + offsets, cache.length)
        logits, cache, seen = extend(
            params,
            self._config,
            self._shard,
            tokens,
            positions,
            cache,
            dtype=self._runner.dtype,
            platform=self._runner.platform,
            watch=self._watch,
            changes=changes,
        )
        return cache, logits, seen


def _scores(logits: Array, following: Array) -> Scores:
    """Scores [R, C] of the tokens `following` [R, C], each by the logits before it."""
    logprobs = jax.nn.log_softmax(logits)
    logprob = jnp.take_along_axis(logprobs, following[..., None], axis=-1)[..., 0]
    top_logprob, top = jax.lax.top_k(logprobs, min(MOST_LOGPROBS, logprobs.shape[-1]))
    return Scores(logprob, top, top_logprob)


def _placed(array: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    """What stands for an array until there is one."""
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)

"""The engine's programs over a mesh of devices: how each array that they take is divided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from grok_app.engine.sampler import Sampled, Sampling
from grok_app.engine.slots import Made, Prefill, Programs, Slots
from grok_app.model.cache import KVCache, empty_cache, stored_type
from grok_app.model.changes import Changes
from grok_app.model.config import GrokConfig
from grok_app.model.sharding import DATA, MODEL, parameter_specs

# The specs have the form of the arrays they divide, which their types do not tell.
_WHOLE: Any = P()
_ROWS: Any = P(DATA)
_STEPS_ROWS: Any = P(None, DATA)
_STEPS_LAYERS_ROWS: Any = P(None, None, DATA)
_LAYERS_ROWS_HEADS: Any = P(None, DATA, MODEL)
_SAMPLING = Sampling(*[_ROWS] * 7)
_PREFILL = Prefill(_ROWS, _ROWS, _ROWS, _ROWS, _ROWS, _ROWS, _SAMPLING)
_MADE = Made(Sampled(*[_STEPS_ROWS] * 4), _STEPS_LAYERS_ROWS)
_CACHE = KVCache(_LAYERS_ROWS_HEADS, _LAYERS_ROWS_HEADS, _ROWS)
_CHANGES = Changes(*[_ROWS] * 5)
SLOTS: Any = Slots(_CACHE, _ROWS, _ROWS, _ROWS, _SAMPLING)


@dataclass(frozen=True)
class Mapped:
    """A program over all devices of a mesh.

    Attributes:
        run: takes the parameters, the slots and arrays of the host; returns the slots, moved on,
            and what it made.
        specs: how each of these arrays of the host is divided, a tree as its own.
    """

    run: Callable[..., tuple[Slots, Any]]
    specs: tuple[Any, ...]


def mapped(programs: Programs, mesh: Mesh) -> dict[str, Mapped]:
    """The programs by their names, to be compiled."""
    params = parameter_specs(programs.config)

    def over(program: Any, specs: tuple[Any, ...], made: Any) -> Mapped:
        given = params, SLOTS, *specs
        run = jax.shard_map(
            program, mesh=mesh, in_specs=given, out_specs=(SLOTS, made), check_vma=False
        )
        return Mapped(run, specs)

    return {
        "prefill": over(programs.prefill, (_PREFILL,), _MADE),
        "decode": over(programs.decode, (_ROWS, _WHOLE), _MADE),
        "prefill_changed": over(programs.prefill, (_PREFILL, _CHANGES), _MADE),
        "decode_changed": over(programs.decode, (_ROWS, _WHOLE, _CHANGES), _MADE),
        "copy": over(programs.copy, (_ROWS, _ROWS), ()),
    }


def empty_slots(
    config: GrokConfig, heads: int, dtype: Any, slots: int, context: int, rows: int
) -> Slots:
    """Idle slots; the cache has `rows` conversations of `context` tokens and `heads` key/value
    heads, every copy counted."""
    cache = partial(empty_cache, config.num_layers, rows, heads)
    cache = jax.eval_shape(lambda: cache(context, config.key_size, stored_type(dtype)))
    return Slots(
        jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), cache),
        jnp.zeros(slots, jnp.int32),
        jnp.full(slots, cache.length, jnp.int32),
        jnp.zeros((slots, config.vocab_size), bool),
        jax.tree.map(jnp.asarray, greedy_rows(slots)),
    )


def greedy_rows(rows: int) -> Sampling:
    """Greedy settings for `rows` slots, as host arrays to be filled in."""
    zeros: Any = partial(np.zeros, rows)
    ones: Any = partial(np.ones, rows)
    return Sampling(
        temperature=zeros(np.float32),
        top_p=ones(np.float32),
        top_k=zeros(np.int32),
        min_p=zeros(np.float32),
        repetition_penalty=ones(np.float32),
        seed=zeros(np.uint32),
        logprobs=zeros(np.int32),
    )

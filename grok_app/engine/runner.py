"""The engine's half that touches the device: parameters, slots, compiled programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from grok_app.engine.huge_pages import use_huge_pages
from grok_app.engine.request import SamplingParams
from grok_app.engine.sampler import Sampled, Sampling
from grok_app.engine.scheduler import Chunk, Copy
from grok_app.engine.slots import Feed, Made, Programs, Slots
from grok_app.model.cache import BLOCK, KVCache, empty_cache, stored_type
from grok_app.model.config import GrokConfig
from grok_app.model.grok import extend
from grok_app.model.sharding import DATA, MODEL, parameter_specs, shard_of

CHUNKS = (32, 128)  # the lengths a chunk of a prompt is padded to: the shortest that holds it

# The specs have the form of the arrays they divide, which their types do not tell.
_WHOLE: Any = P()
_ROWS: Any = P(DATA)
_STEPS_ROWS: Any = P(None, DATA)
_STEPS_LAYERS_ROWS: Any = P(None, None, DATA)
_LAYERS_ROWS_HEADS: Any = P(None, DATA, MODEL)
_SAMPLING_SPEC = Sampling(*[_ROWS] * 7)
_CACHE_SPEC = KVCache(_LAYERS_ROWS_HEADS, _LAYERS_ROWS_HEADS, _ROWS)
_SLOTS_SPEC = Slots(_CACHE_SPEC, _ROWS, _ROWS, _ROWS, _SAMPLING_SPEC)
_FEED_SPEC = Feed(_ROWS, _ROWS, _ROWS, _ROWS, _ROWS, _ROWS, _SAMPLING_SPEC)
_MADE_SPEC = Made(Sampled(*[_STEPS_ROWS] * 4), _STEPS_LAYERS_ROWS)


@dataclass(frozen=True)
class _Program:
    """A compiled program.

    Attributes:
        run: takes the parameters, the slots where `moves`, and arrays of the host.
        specs: how each of these arrays is divided, a tree as its own.
        moves: whether it returns (slots, result), not the result alone.
    """

    run: Any
    specs: tuple[Any, ...]
    moves: bool


class Runner:
    """A model on its devices. One thread at a time may use it."""

    def __init__(
        self,
        config: GrokConfig,
        params: Any,
        mesh: Mesh,
        dtype: Any,
        slots: int,
        context: int,
        saved: int = 0,
        native: bool = False,
    ):
        """`slots` conversations of at most `context` tokens; `params` lie on `mesh`.

        The cache has rows for `saved` conversations more, at least, as many in each data shard.
        `native` uses the native kernels, which must have been built.
        """
        self.config, self.params, self.mesh, self.native = config, params, mesh, native
        self.shards = mesh.shape[DATA]
        self.per_shard = slots // self.shards
        self.saved_per_shard = -(-saved // self.shards)
        self._shard = shard_of(config, mesh.shape[MODEL])
        self.dtype = jnp.dtype(dtype)
        programs = Programs(config, self._shard, self.dtype, native)
        specs = parameter_specs(config)
        out = (_SLOTS_SPEC, _MADE_SPEC)
        self._feed = self._compiled(programs.feed, (specs, _SLOTS_SPEC, _FEED_SPEC), out)
        self._decode = self._compiled(programs.decode, (specs, _SLOTS_SPEC, _ROWS, _WHOLE), out)
        self._copy = self._compiled(
            programs.copy, (specs, _SLOTS_SPEC, _ROWS, _ROWS), (_SLOTS_SPEC, ())
        )
        self._logits = self._compiled(self._all_logits, (specs, P(DATA)), P(DATA), donated=())
        self._programs = {
            "feed": _Program(self._feed, (_FEED_SPEC,), moves=True),
            "decode": _Program(self._decode, (_ROWS, _WHOLE), moves=True),
            "copy": _Program(self._copy, (_ROWS, _ROWS), moves=True),
            "logits": _Program(self._logits, (_ROWS,), moves=False),
        }
        empty = partial(self._empty, slots, context)
        self.slots = jax.jit(empty, out_shardings=self._shardings(_SLOTS_SPEC))()
        for array in (self.slots.cache.keys, self.slots.cache.values):
            use_huge_pages(array)  # donated from step to step, it stays where it is
        self.announce: Callable[[str, list[np.ndarray]], None] | None = None

    def warm_up(self) -> None:
        """Compiles every program that serving needs, by running it with nothing to do."""
        for length in CHUNKS:
            self._run_feed([], length)
        self._run_copy([])
        jax.block_until_ready(self.decode([], 1))

    def feed(self, chunks: Sequence[Chunk]) -> Made:
        """Dispatches chunks of prompts, one a data shard at most; row d of it is shard d's."""
        longest = max(chunk.count for chunk in chunks)
        return self._run_feed(chunks, next(length for length in CHUNKS if length >= longest))

    def copy(self, copies: Sequence[Copy]) -> None:
        """Dispatches copies of rows of the cache, one after the other."""
        for copy in copies:
            self._run_copy([copy])

    def decode(self, slots: Sequence[int], steps: int) -> Made:
        """Dispatches steps of the given slots; row b of the result is slot b's."""
        keep = np.zeros(self.shards * self.per_shard, bool)
        keep[list(slots)] = True
        return self._call("decode", keep, np.array(steps, np.int32))

    def logits(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """float32 [rows, longest row, vocabulary]; shorter rows are padded at their end."""
        longest = max(map(len, rows))
        height = -(-len(rows) // self.shards) * self.shards
        width = -(-longest // BLOCK) * BLOCK
        tokens = np.full((height, width), self.config.pad_token, np.int32)
        for row, ids in enumerate(rows):
            tokens[row, : len(ids)] = ids
        return np.asarray(self._call("logits", tokens))[: len(rows), :longest]

    def _run_copy(self, copies: Sequence[Copy]) -> None:
        source = np.zeros(self.shards, np.int32)
        target = np.full(self.shards, self.per_shard + self.saved_per_shard, np.int32)  # outside
        for copy in copies:
            source[copy.shard], target[copy.shard] = copy.source, copy.target
        self._call("copy", source, target)

    def _run_feed(self, chunks: Sequence[Chunk], length: int) -> Made:
        rows = self.shards
        tokens = np.zeros((rows, length), np.int32)
        before = np.zeros((rows, self.slots.cache.length), np.int32)
        slot, start, count = (np.zeros(rows, np.int32) for _ in range(3))
        final = np.zeros(rows, bool)
        sampling = _sampling_rows(rows)
        for chunk in chunks:
            row = chunk.slot // self.per_shard
            end = chunk.start + chunk.count
            before[row, : chunk.start] = chunk.request.prompt[: chunk.start]
            tokens[row, : chunk.count] = chunk.request.prompt[chunk.start : end]
            slot[row], start[row] = chunk.slot % self.per_shard, chunk.start
            count[row], final[row] = chunk.count, chunk.final
            _set_row(sampling, row, chunk.request.params)
        feed = Feed(tokens, before, slot, start, count, final, sampling)  # type: ignore[arg-type]
        return self._call("feed", feed)

    def follow(self, messages: Iterable[tuple[str, list[np.ndarray]]]) -> None:
        """Runs what another process announces, for as long as it does."""
        for name, leaves in messages:
            structure = jax.tree.structure(self._programs[name].specs)
            self._run(name, jax.tree.unflatten(structure, leaves))

    def _call(self, name: str, *host: Any) -> Any:
        """The result of a program on arrays of the host, which `announce` passes on if set."""
        if self.announce:
            self.announce(name, jax.tree.leaves(host))
        return self._run(name, host)

    def _run(self, name: str, host: tuple[Any, ...]) -> Any:
        program = self._programs[name]
        if self._many:
            host = jax.tree.map(self._spread, host, program.specs)
        if not program.moves:
            return program.run(self.params, *host)
        self.slots, made = program.run(self.params, self.slots, *host)
        return made

    @property
    def _many(self) -> bool:
        """Whether the mesh has devices of other processes."""
        return jax.process_count() > 1

    def _spread(self, array: np.ndarray, spec: P) -> jax.Array:
        """An array that every process has, as one on the devices of all of them."""
        sharding = NamedSharding(self.mesh, spec)
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    def _all_logits(self, params: Any, tokens: jax.Array) -> jax.Array:
        config, (rows, length) = self.config, tokens.shape
        heads = self._shard.kv_heads
        cache = empty_cache(config.num_layers, rows, heads, length, config.key_size, self.dtype)
        positions = jnp.broadcast_to(jnp.arange(length), tokens.shape)
        logits, _, _ = extend(
            params,
            config,
            self._shard,
            tokens,
            positions,
            cache,
            dtype=self.dtype,
            native=self.native,
        )
        return logits

    def _empty(self, slots: int, context: int) -> Slots:
        config = self.config
        heads = self._shard.kv_heads * self._shard.devices
        rows = slots + self.shards * self.saved_per_shard
        cache = partial(empty_cache, config.num_layers, rows, heads)
        cache = jax.eval_shape(lambda: cache(context, config.key_size, stored_type(self.dtype)))
        return Slots(
            jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), cache),
            jnp.zeros(slots, jnp.int32),
            jnp.full(slots, cache.length, jnp.int32),
            jnp.zeros((slots, config.vocab_size), bool),
            jax.tree.map(jnp.asarray, _sampling_rows(slots)),
        )

    def _shardings(self, specs: Any) -> Any:
        return jax.tree.map(partial(NamedSharding, self.mesh), specs)

    def _compiled(self, program: Any, specs: Any, out: Any, donated: tuple[int, ...] = (1,)) -> Any:
        mapped = jax.shard_map(
            program, mesh=self.mesh, in_specs=specs, out_specs=out, check_vma=False
        )
        if not self._many:
            return jax.jit(mapped, donate_argnums=donated)
        # What goes to the host must be whole in every process.
        whole = NamedSharding(self.mesh, P())
        shardings = (self._shardings(_SLOTS_SPEC), whole) if donated else whole
        return jax.jit(mapped, donate_argnums=donated, out_shardings=shardings)


def _sampling_rows(rows: int) -> Sampling:
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


def _set_row(sampling: Sampling, row: int, params: SamplingParams) -> None:
    for name, array in vars(sampling).items():
        array[row] = getattr(params, name)

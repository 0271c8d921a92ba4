"""The engine's half that touches the device: parameters, slots, compiled programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from grok_app.engine.changing import changes_of
from grok_app.engine.huge_pages import use_huge_pages
from grok_app.engine.mapped import SLOTS, empty_slots, greedy_rows, mapped
from grok_app.engine.request import SamplingParams
from grok_app.engine.sampler import Sampling
from grok_app.engine.scheduler import Chunk, Copy
from grok_app.engine.slots import Made, Prefill, Programs
from grok_app.kernels import CPU, Platform
from grok_app.model.config import GrokConfig
from grok_app.model.sharding import DATA, MODEL, shard_of
from grok_app.options import chunks_of


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
        platform: Platform = CPU,
    ):
        """`slots` conversations of at most `context` tokens; `params` lie on `mesh`.

        The cache has rows for `saved` conversations more, at least, as many in each data shard.
        `platform` is that of the mesh.
        """
        self.config, self.params, self.mesh, self.platform = config, params, mesh, platform
        self.context = context
        self.chunks = chunks_of(platform.name)
        self.shards = mesh.shape[DATA]
        self.per_shard = slots // self.shards
        self.saved_per_shard = -(-saved // self.shards)
        self._shard = shard_of(config, mesh.shape[MODEL])
        self.dtype = jnp.dtype(dtype)
        programs = mapped(Programs(config, self._shard, self.dtype, platform), mesh)
        self._specs = {name: program.specs for name, program in programs.items()}
        self._programs = {name: self._compiled(program.run) for name, program in programs.items()}
        heads = self._shard.kv_heads * self._shard.devices
        rows = slots + self.shards * self.saved_per_shard
        empty = partial(empty_slots, config, heads, self.dtype, slots, context, rows)
        self.slots = jax.jit(empty, out_shardings=self._shardings(SLOTS))()
        for array in (self.slots.cache.keys, self.slots.cache.values):
            use_huge_pages(array)  # donated from step to step, it stays where it is
        self.announce: Callable[[str, list[np.ndarray]], None] | None = None

    def warm_up(self) -> None:
        """Compiles every program that serving needs, by running it with nothing to do."""
        for length in self.chunks:
            self._run_prefill([], length)
        self._run_copy([])
        jax.block_until_ready(self.decode({}, 1))

    def compile_changed(self) -> None:
        """Compiles the programs for requests with interventions, which else happens when the first
        is served, and all wait; may be called by any thread."""
        if self._many:
            return  # each process compiles what it is told to run
        slots = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding), self.slots
        )
        rows = self.shards * self.per_shard
        decode: Any = np.zeros(rows, bool), np.int32(0), changes_of(self.config, [()] * rows)
        self._programs["decode_changed"].lower(self.params, slots, *decode).compile()
        for length in self.chunks:
            prefill = self._prefill([], length), changes_of(self.config, [()] * self.shards)
            self._programs["prefill_changed"].lower(self.params, slots, *prefill).compile()

    def prefill(self, chunks: Sequence[Chunk]) -> Made:
        """Dispatches chunks of prompts, one a data shard at most; row d of it is shard d's."""
        longest = max(chunk.count for chunk in chunks)
        return self._run_prefill(
            chunks, next(length for length in self.chunks if length >= longest)
        )

    def copy(self, copies: Sequence[Copy]) -> None:
        """Dispatches copies of rows of the cache, one after the other."""
        for copy in copies:
            self._run_copy([copy])

    def decode(self, slots: Mapping[int, SamplingParams], steps: int) -> Made:
        """Dispatches steps of the given slots; row b of the result is slot b's."""
        rows = self.shards * self.per_shard
        keep = np.zeros(rows, bool)
        keep[list(slots)] = True
        return self._call_changed("decode", slots, rows, keep, np.array(steps, np.int32))

    def _run_copy(self, copies: Sequence[Copy]) -> None:
        source = np.zeros(self.shards, np.int32)
        target = np.full(self.shards, self.per_shard + self.saved_per_shard, np.int32)  # outside
        for copy in copies:
            source[copy.shard], target[copy.shard] = copy.source, copy.target
        self._call("copy", source, target)

    def _run_prefill(self, chunks: Sequence[Chunk], length: int) -> Made:
        params = {chunk.slot // self.per_shard: chunk.request.params for chunk in chunks}
        return self._call_changed("prefill", params, self.shards, self._prefill(chunks, length))

    def _prefill(self, chunks: Sequence[Chunk], length: int) -> Prefill:
        """The chunks as arrays of the host, each padded to `length` tokens."""
        rows = self.shards
        tokens = np.zeros((rows, length), np.int32)
        before = np.zeros((rows, self.slots.cache.length), np.int32)
        slot, start, count = (np.zeros(rows, np.int32) for _ in range(3))
        final = np.zeros(rows, bool)
        sampling = greedy_rows(rows)
        for chunk in chunks:
            row = chunk.slot // self.per_shard
            end = chunk.start + chunk.count
            before[row, : chunk.start] = chunk.request.prompt[: chunk.start]
            tokens[row, : chunk.count] = chunk.request.prompt[chunk.start : end]
            slot[row], start[row] = chunk.slot % self.per_shard, chunk.start
            count[row], final[row] = chunk.count, chunk.final
            _set_row(sampling, row, chunk.request.params)
        return Prefill(tokens, before, slot, start, count, final, sampling)  # type: ignore[arg-type]

    def _call_changed(
        self, name: str, params: Mapping[int, SamplingParams], rows: int, *host: Any
    ) -> Any:
        """As `_call`; where a row's request has interventions, the program that knows of them."""
        changed = {row: one.interventions for row, one in params.items() if one.interventions}
        if not changed:
            return self._call(name, *host)
        changes = changes_of(self.config, [changed.get(row, ()) for row in range(rows)])
        return self._call(f"{name}_changed", *host, changes)

    def follow(self, messages: Iterable[tuple[str, list[np.ndarray]]]) -> None:
        """Runs what another process announces, for as long as it does."""
        for name, leaves in messages:
            structure = jax.tree.structure(self._specs[name])
            self._run(name, jax.tree.unflatten(structure, leaves))

    def _call(self, name: str, *host: Any) -> Any:
        """The result of a program on arrays of the host, which `announce` passes on if set."""
        if self.announce:
            self.announce(name, jax.tree.leaves(host))
        return self._run(name, host)

    def _run(self, name: str, host: tuple[Any, ...]) -> Any:
        if self._many:
            host = jax.tree.map(self._spread, host, self._specs[name])
        self.slots, made = self._programs[name](self.params, self.slots, *host)
        return made

    @property
    def _many(self) -> bool:
        """Whether the mesh has devices of other processes."""
        return jax.process_count() > 1

    def _spread(self, array: np.ndarray, spec: P) -> jax.Array:
        """An array that every process has, as one on the devices of all of them."""
        sharding = NamedSharding(self.mesh, spec)
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    def _shardings(self, specs: Any) -> Any:
        return jax.tree.map(partial(NamedSharding, self.mesh), specs)

    def _compiled(self, run: Any) -> Any:
        if not self._many:
            return jax.jit(run, donate_argnums=1)
        # What goes to the host must be whole in every process.
        whole = NamedSharding(self.mesh, P())
        shardings = self._shardings(SLOTS), whole
        return jax.jit(run, donate_argnums=1, out_shardings=shardings)


def _set_row(sampling: Sampling, row: int, params: SamplingParams) -> None:
    for name, array in vars(sampling).items():
        array[row] = getattr(params, name)

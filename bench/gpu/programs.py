"""The engine's programs of Grok-1, compiled for GPUs that are described.

Shapes stand for all arrays, so that neither weights nor memory for them are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jax.sharding import Mesh, NamedSharding

from grok_app.engine.mapped import SLOTS, Mapped, empty_slots, greedy_rows, mapped
from grok_app.engine.slots import Prefill, Programs
from grok_app.kernels import KERNELS, Platform
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import parameters
from grok_app.model.sharding import MODEL, parameter_specs, shard_of
from grok_app.model.weights import QuantizedWeight

DTYPE = "bfloat16"


@dataclass(frozen=True)
class Compiled:
    """A compiled program.

    Attributes:
        text: its HLO.
        scratch: bytes that each device needs beside what the program is given and makes.
    """

    text: str
    scratch: int


@dataclass(frozen=True)
class Engine:
    """An engine that is not there: a model on a mesh, with so many slots of so many tokens."""

    config: GrokConfig
    mesh: Mesh
    slots: int
    context: int

    def decode(self) -> Compiled:
        """The program that makes the next token of every slot."""
        keep, steps = ShapeDtypeStruct((self.slots,), bool), ShapeDtypeStruct((), jnp.int32)
        return self._compiled("decode", keep, steps)

    def prefill(self, tokens: int) -> Compiled:
        """The program that adds so many tokens of a prompt to a slot."""

        def chunk() -> Prefill:
            one = jnp.zeros(1, jnp.int32)
            sampling = jax.tree.map(jnp.asarray, greedy_rows(1))
            text, before = one[None].repeat(tokens, 1), one[None].repeat(self.context, 1)
            return Prefill(text, before, one, one, one, one > 0, sampling)

        return self._compiled("prefill", jax.eval_shape(chunk))

    def _compiled(self, name: str, *host: Any) -> Compiled:
        platform = Platform("cuda", KERNELS["cuda"])
        shard = shard_of(self.config, self.mesh.shape[MODEL])
        programs = Programs(self.config, shard, jnp.dtype(DTYPE), platform)
        program: Mapped = mapped(programs, self.mesh)[name]
        heads = shard.kv_heads * shard.devices
        size = self.config, heads, DTYPE, self.slots, self.context, self.slots
        slots = jax.eval_shape(lambda: empty_slots(*size))
        given = self._params(), self._placed(slots, SLOTS), *self._placed(host, program.specs)
        traced = jax.jit(program.run, donate_argnums=1).trace(*given)
        compiled = traced.lower(lowering_platforms=("cuda",)).compile()
        text, memory = compiled.as_text(), compiled.memory_analysis()
        assert text is not None
        assert memory is not None
        return Compiled(text, memory.temp_size_in_bytes)

    def _params(self) -> Any:
        tree: dict[str, dict[str, Any]] = {}
        for p in parameters(self.config):
            stack = (self.config.num_layers,) if p.layered else ()
            if p.groups is None:
                made: Any = ShapeDtypeStruct((*stack, *p.shape), p.kind(DTYPE))
            else:
                made = QuantizedWeight(
                    ShapeDtypeStruct((*stack, *p.shape), jnp.int8),  # type: ignore[arg-type]
                    ShapeDtypeStruct((*stack, *p.scales_shape), jnp.bfloat16),  # type: ignore[arg-type]
                )
            tree.setdefault(p.module, {})[p.name] = made
        return self._placed(tree, parameter_specs(self.config))

    def _placed(self, arrays: Any, specs: Any) -> Any:
        def place(array: Any, spec: Any) -> ShapeDtypeStruct:
            sharding = NamedSharding(self.mesh, spec)
            return ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)

        return jax.tree.map(place, arrays, specs)

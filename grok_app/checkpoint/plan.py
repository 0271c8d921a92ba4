"""What fits where, before anything is loaded: arithmetic on sizes, no array is made.

B slots, D model width, F hidden width of an expert, V vocabulary; "data" and "model" are the
axes of the mesh.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax

from grok_app.checkpoint.machine import Machine
from grok_app.errors import SettingsError
from grok_app.model.cache import BLOCK, empty_cache, stored_type
from grok_app.model.config import GrokConfig
from grok_app.model.experts import BLOCK_ROWS
from grok_app.model.parameters import parameters
from grok_app.model.sharding import (
    default_mesh_shape,
    model_axes,
    scales_division,
    shard_of,
    weight_division,
)
from grok_app.model.weights import TILE_ROWS
from grok_app.options import SCORED_CHUNK, EngineOptions, chunks_of

USABLE = 0.92  # of a device's memory; the rest is the runtime's own, and what lies between arrays
_JAX_TAKES = 0.75  # of a GPU, unless the environment says otherwise
_MORE = f"set XLA_PYTHON_CLIENT_MEM_FRACTION={USABLE}"

# Working space, as `memory_analysis` of the compiled programs shows it; tests/checkpoint holds
# the formula to that.
_LOGIT_ARRAYS = 8  # float32 [B, V] of the sampler that live together
_WIDTH_ARRAYS = 10  # float32 [tokens, D] of a chunk that live together
_FFN_ARRAYS = 4  # float32 [rows, F] of an expert that live together
_PAIR_ARRAYS = 2  # float32 [tokens * experts chosen, F] of the native kernel that live together
_SCORED_ARRAYS = 3  # float32 [tokens, V] of the scorer that live together
_SCORE_ARRAYS = 4  # float32 [heads, tokens, BLOCK] of attention that live together


@dataclass(frozen=True)
class Setup:
    """How a model is to be served: options, with all decided that they left open.

    Attributes:
        mesh: devices on (data, model).
        slots: conversations at once, over all of "data".
        context: most tokens of each.
        dtype: to compute in, "float32" or "bfloat16".
        saved: conversations beyond the slots whose cache is kept.
        scored: texts that are scored side by side.
    """

    mesh: tuple[int, int]
    slots: int
    context: int
    dtype: str
    saved: int = 0
    scored: int = 1


@dataclass(frozen=True)
class Need:
    """Bytes that one device needs: for weights, the slots with their cache, and working space."""

    weights: int
    cache: int
    workspace: int

    @property
    def total(self) -> int:
        """Bytes of all three."""
        return self.weights + self.cache + self.workspace


@dataclass(frozen=True)
class MemoryPlan:
    """Whether a model fits a machine, and why.

    Attributes:
        mesh: the devices on (data, model).
        weights_bytes_total: as stored in the checkpoint.
        scored_texts: how many texts can be scored side by side, one more cache each, in what is
            left; at least one is counted as working space.
        reasons: sentences: how the mesh was chosen, what is needed and what there is, and, where
            it does not fit, the nearest that would.
    """

    fits: bool
    mesh: tuple[int, int]
    weights_bytes_total: int
    weights_bytes_per_device: int
    cache_bytes_per_device: int
    workspace_bytes_per_device: int
    scored_texts: int
    reasons: tuple[str, ...]


def default_dtype(platform: str) -> str:
    """What to compute in: float32 on a CPU, where it is faster; else bfloat16."""
    return "float32" if platform == "cpu" else "bfloat16"


def stored_bytes(config: GrokConfig) -> int:
    """Bytes of all arrays of a model's checkpoint."""
    return sum(p.nbytes * (config.num_layers if p.layered else 1) for p in parameters(config))


def setup_of(config: GrokConfig, machine: Machine, options: EngineOptions) -> Setup:
    """What the options ask for, and for what they leave open: what suits model and machine.

    Raises:
        SettingsError: the mesh is larger than the machine or does not divide the slots, or the
            context is longer than the model's.
    """
    mesh = options.mesh or default_mesh_shape(config, machine.devices)
    if math.prod(mesh) > machine.devices:
        raise SettingsError(
            f"mesh {mesh[0]},{mesh[1]} needs {math.prod(mesh)} devices; there are "
            f"{machine.devices} devices"
        )
    if options.slots % mesh[0]:
        raise SettingsError(
            f"{options.slots} slots cannot be divided over {mesh[0]} devices on the mesh axis "
            "data; make slots a multiple of it"
        )
    context = options.context or config.sequence_len
    if context > config.sequence_len:
        raise SettingsError(
            f"context is {context}; expected 2 to {config.sequence_len}, the model's own"
        )
    dtype = options.dtype or default_dtype(machine.platform)
    return Setup(mesh, options.slots, context, dtype, options.saved)


def make_plan(config: GrokConfig, machine: Machine, options: EngineOptions) -> MemoryPlan:
    """The plan for a machine.

    Raises:
        SettingsError: as `setup_of`, or the mesh does not divide the model.
    """
    setup = setup_of(config, machine, options)
    need = needs(config, setup, machine)
    room = int(machine.memory * USABLE)
    fits = need.total <= room
    reasons = [_why_mesh(config, setup, machine, options.mesh is None), _why(setup, need, machine)]
    if not fits:
        reasons.append(_alternatives(config, setup, machine, need))
    if machine.platform == "gpu" and not fits:
        reasons.append(
            f"JAX takes {_JAX_TAKES:.0%} of a GPU's memory if not told otherwise: {_MORE}"
        )
    on_gpus = not machine.platform and setup.dtype == "bfloat16"
    if on_gpus and machine.memory * _JAX_TAKES < need.total <= room:
        reasons.append(f"if these are GPUs, JAX takes {_JAX_TAKES:.0%} of their memory: {_MORE}")
    return MemoryPlan(
        fits,
        setup.mesh,
        stored_bytes(config),
        need.weights,
        need.cache,
        need.workspace,
        _most_scored(config, setup, machine, room),
        tuple(reasons),
    )


def _most_scored(config: GrokConfig, setup: Setup, machine: Machine, room: int) -> int:
    """As many texts as slots, or half as many, and so on."""
    many = setup.slots
    while many > 1 and needs(config, replace(setup, scored=many), machine).total > room:
        many //= 2
    return many


def needs(config: GrokConfig, setup: Setup, machine: Machine) -> Need:
    """What each device of a mesh needs; the devices along "data" hold the same weights.

    Raises:
        SettingsError: the mesh does not divide the model.
    """
    cache = _cache(config, setup, stored_type(setup.dtype))
    return Need(_weights(config, setup), cache, _workspace(config, setup, machine))


def _weights(config: GrokConfig, setup: Setup) -> int:
    devices, total = setup.mesh[1], 0
    for p in parameters(config):
        layers = config.num_layers if p.layered else 1
        shape = weight_division(p, devices).part_shape(p.shape)
        if p.groups is None:
            total += layers * p.kind(setup.dtype).itemsize * math.prod(shape)
        else:
            scales = scales_division(p, devices).part_shape(p.scales_shape)
            total += layers * (math.prod(shape) + 2 * math.prod(scales))
    return total


def _cache(config: GrokConfig, setup: Setup, dtype: Any) -> int:
    data, model = setup.mesh
    slots, heads = -(-setup.slots // data), shard_of(config, model).kv_heads
    rows = slots + -(-setup.saved // data)
    make = partial(empty_cache, config.num_layers, rows, heads, setup.context, config.key_size)
    shapes = jax.tree.leaves(jax.eval_shape(lambda: make(dtype)))
    seen = slots * config.vocab_size  # which tokens a conversation has, a byte each
    return seen + sum(math.prod(shape.shape) * shape.dtype.itemsize for shape in shapes)


def _workspace(config: GrokConfig, setup: Setup, machine: Machine) -> int:
    data, model = setup.mesh
    shard = shard_of(config, model)
    width, slots = config.emb_size, -(-setup.slots // data)
    scored_tokens = SCORED_CHUNK * setup.scored
    tokens = max(chunks_of(machine.platform)[-1], scored_tokens)
    logits = max(_LOGIT_ARRAYS * slots, _SCORED_ARRAYS * scored_tokens) * config.vocab_size
    block = 2 * shard.kv_heads * config.key_size + _SCORE_ARRAYS * shard.query_heads
    attention = BLOCK * (slots * block + tokens * _SCORE_ARRAYS * shard.query_heads)
    on_cpu, short = machine.platform == "cpu", _itemsize(setup.dtype) < 4
    pairs = 0 if on_cpu and short else tokens * config.num_selected_experts
    hidden = max(_FFN_ARRAYS * BLOCK_ROWS, _PAIR_ARRAYS * pairs) * shard.ffn
    chunk = (_WIDTH_ARRAYS * tokens + _PAIR_ARRAYS * pairs) * width + hidden
    whole = 2 * width * shard.ffn  # two of an expert's three matrices
    tile = TILE_ROWS * max(width, shard.ffn)
    widened = tile if on_cpu and not short else whole
    # On a CPU XLA widens a whole cache of bfloat16 before it writes to it.
    cache = 2 * _cache(config, setup, setup.dtype) if on_cpu and short else 0
    texts = replace(setup, mesh=(1, model), slots=setup.scored, saved=0)
    scored = _cache(config, texts, setup.dtype)
    return 4 * (logits + attention + chunk + widened) + cache + scored


def _itemsize(dtype: str) -> int:
    return jax.numpy.dtype(dtype).itemsize


# Words.


def gigabytes(count: float) -> str:
    """A number of bytes for reading, such as "39.8 GB" (10^9)."""
    return f"{count / 1e9:.1f} GB" if count >= 5e7 else f"{count / 1e6:.1f} MB"


def _why_mesh(config: GrokConfig, setup: Setup, machine: Machine, chosen: bool) -> str:
    data, model = setup.mesh
    text = f"mesh {data},{model}: "
    if model == 1:
        text += "each device holds the whole model"
    else:
        text += f"{model} devices divide every layer, and each reads its own part of the weights"
    if data > 1:
        text += f"; {data} such groups divide the conversations"
    if chosen and model < machine.devices:
        text += f"; {machine.devices - model} idle, for the model does not divide further"
    copies = model // config.num_kv_heads
    if copies > 1:
        text += f"; {copies} devices to a key/value head, each with a copy of its cache"
    return text


def _why(setup: Setup, need: Need, machine: Machine) -> str:
    of = f"of {gigabytes(machine.memory)}"
    return (
        f"a device needs {gigabytes(need.total)} {of} ({machine.name}), of which {USABLE:.0%} may "
        f"be used: weights {gigabytes(need.weights)}, cache {gigabytes(need.cache)} for "
        f"{setup.slots} slots and {setup.saved} saved conversations of {setup.context} tokens, "
        f"working space "
        f"{gigabytes(need.workspace)}"
    )


def _at_least(need: Need) -> str:
    """The memory of a device that holds so much, rounded up: what is named must do."""
    unit = 1e8 if need.total >= 5e7 else 1e5
    return gigabytes(math.ceil(need.total / USABLE / unit) * unit)


def _alternatives(config: GrokConfig, setup: Setup, machine: Machine, need: Need) -> str:
    """The nearest that would fit: fewer slots, a shorter context, more devices, more memory."""
    room = machine.memory * USABLE

    def memory(setup: Setup) -> str:
        return _at_least(needs(config, setup, machine))

    def fits(**change: Any) -> bool:
        return needs(config, replace(setup, **change), machine).total <= room

    def most(name: str, ascending: range) -> int | None:
        """The largest that fits, of values of a setting that need more and more."""
        fitting = bisect_left(ascending, True, key=lambda n: not fits(**{name: n}))
        return ascending[fitting - 1] if fitting else None

    data, model = setup.mesh
    wider = [(data, axis) for axis in model_axes(config) if axis > model]
    saved = most("saved", range(setup.saved))
    slots = most("slots", range(data, setup.slots, data))
    context = most("context", range(BLOCK, setup.context, BLOCK))
    mesh = next((mesh for mesh in wider if fits(mesh=mesh)), None)
    ways = [
        f"with --saved {saved}" if saved is not None else None,
        f"with --slots {slots}" if slots else None,
        f"with --context {context}" if context else None,
        f"on {math.prod(mesh)} such devices" if mesh else None,
        f"with {_at_least(need)} a device",
    ]
    if not any(ways[:-1]):  # no such change alone does: then more memory, or several together
        ways += [
            f"on {math.prod(mesh)} devices of {memory(replace(setup, mesh=mesh))}" for mesh in wider
        ]
        frugal = f"--slots {data} --saved 0 --context {min(setup.context, BLOCK)}"
        least = replace(setup, slots=data, saved=0, context=min(setup.context, BLOCK))
        ways += [
            f"with {frugal} on {math.prod(mesh)} of {memory(replace(least, mesh=mesh))}"
            for mesh in [setup.mesh, *wider[-1:]]
        ]
    return "the nearest that fits: " + ", or ".join(filter(None, ways))

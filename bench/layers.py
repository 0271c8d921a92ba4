"""Layers of Grok-1's true width, timed against what the device could do at best.

Random int8 weights, as many layers as fit, decode for 1, 8 and 32 people at a given length of
their conversations, and a prefill in chunks as the engine does it. The floor of a step is the
larger of two times: to read once every byte it needs (the chosen experts, attention, the cache)
at the bandwidth measured in this run, and to do the arithmetic of the chosen experts and of
attention at the rate of matrix products measured in this run. What it means for Grok-1 is the
time a layer times 64, on 8 such devices that each hold an eighth of every layer; what the
devices then say to one another is not in it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from bench.machine import median_seconds, read_bandwidth
from grok_app.checkpoint.machine import this_machine
from grok_app.checkpoint.plan import default_dtype
from grok_app.engine.load import cache_folder
from grok_app.engine.platform import platform_of
from grok_app.model.cache import KVCache, empty_cache, stored_type
from grok_app.model.config import GROK_1, GrokConfig
from grok_app.model.parameters import parameters
from grok_app.model.serving import extend
from grok_app.model.sharding import shard_of
from grok_app.model.watch import Notes
from grok_app.model.weights import QuantizedWeight
from grok_app.options import chunks_of

PEOPLE = (1, 8, 32)
PREFILL = 1024  # tokens
_SHARE = 0.6  # of the memory that is free, for the weights
_SCALE = 0.001


@dataclass(frozen=True)
class Limits:
    """What the device can do at best.

    Attributes:
        bandwidth: bytes a second, read from memory.
        rate: FLOPs a second, in products of large matrices.
    """

    bandwidth: float
    rate: float

    def floor(self, count: float, flops: float) -> tuple[float, str]:
        """The least seconds to read so many bytes and do so many FLOPs, and which binds."""
        return max((count / self.bandwidth, "bandwidth"), (flops / self.rate, "arithmetic"))


@dataclass(frozen=True)
class Row:
    """What was measured, a layer: seconds, the floor in seconds, and how it is bound."""

    work: str
    seconds: float
    floor: float
    bound: str

    @property
    def share(self) -> float:
        """What of the floor is reached, 1 for all of it."""
        return self.floor / self.seconds


def main() -> None:
    """Measures and prints."""
    options = _options()
    machine = this_machine()
    config = config_that_fits(int(machine.memory * _SHARE), options.width, options.layers)
    dtype = options.dtype or default_dtype(machine.platform)
    params = random_parameters(config, dtype)
    limits = Limits(device_bandwidth(), matrix_rate(dtype))
    rows = [decode(config, params, dtype, limits, n, options.position) for n in PEOPLE]
    rows.append(prefill(config, params, dtype, limits))
    print(
        f"{machine.name}, {dtype}: {config.num_layers} of width {config.emb_size}, "
        f"{limits.bandwidth / 1e9:.1f} GB/s, {limits.rate / 1e12:.3f} TFLOP/s\n"
    )
    print(table(rows, config))
    print(
        json.dumps(
            {
                "device": machine.name,
                "dtype": dtype,
                "width": config.emb_size,
                "layers": config.num_layers,
                **asdict(limits),
                "rows": [asdict(row) | {"share": round(row.share, 3)} for row in rows],
            }
        )
    )


def config_that_fits(memory: int, width: int | None, layers: int | None) -> GrokConfig:
    """Layers alone, of Grok-1's width or of the largest half of it that fits in `memory`."""
    for divisor in (1, 2, 4, 8) if width is None else (GROK_1.emb_size // width,):
        config = replace(
            GROK_1,
            vocab_size=256,  # nothing: the embeddings are no layer
            emb_size=GROK_1.emb_size // divisor,
            num_q_heads=GROK_1.num_q_heads // divisor,
            num_kv_heads=max(1, GROK_1.num_kv_heads // divisor),
            num_layers=1,
        )
        layer = sum(p.nbytes for p in parameters(config) if p.layered)
        count = layers or min(GROK_1.num_layers, memory // layer)
        if count:
            return replace(config, num_layers=count)
    raise SystemExit(f"{memory / 1e9:.1f} GB hold no layer, however narrow")


def random_parameters(config: GrokConfig, dtype: str) -> dict[str, dict[str, Any]]:
    """A tree of random weights on the first device, for computing in `dtype`."""
    rng = np.random.default_rng(0)
    noise = rng.integers(-127, 128, 32_000_003, np.int8)
    tree: dict[str, dict[str, Any]] = {}
    for p in parameters(config):
        stack = (config.num_layers,) if p.layered else ()
        if p.groups is None:
            array = rng.standard_normal((*stack, *p.shape), np.float32)
            made: Any = jnp.asarray(array * 0.02 + (p.name == "scale"), p.kind(dtype))
        else:
            weight = jax.device_put(np.resize(noise, (*stack, *p.shape)))
            made = QuantizedWeight(weight, jnp.full((*stack, *p.scales_shape), _SCALE, "bfloat16"))
        tree.setdefault(p.module, {})[p.name] = made
    return jax.block_until_ready(tree)


def device_bandwidth() -> float:
    """Bytes a second that the first device reads from its memory."""
    if jax.default_backend() == "cpu":
        return read_bandwidth()
    numbers = jnp.ones((1024, 1024 * 1024), jnp.int8)
    total = jax.jit(lambda x: jnp.sum(x, axis=1, dtype=jnp.int32))
    return numbers.nbytes / median_seconds(lambda: jax.block_until_ready(total(numbers)), 9)


def matrix_rate(dtype: str) -> float:
    """FLOPs a second of a large matrix product."""
    size = 2048 if jax.default_backend() == "cpu" else 8192
    x = jnp.ones((size, size), dtype)
    product = jax.jit(lambda x: jnp.dot(x, x, preferred_element_type=jnp.float32))
    return 2 * size**3 / median_seconds(lambda: jax.block_until_ready(product(x)), 5)


def _program(config: GrokConfig, dtype: str) -> Callable[..., tuple[Array, KVCache, Notes]]:
    platform = platform_of(jax.devices()[0], "auto", cache_folder() / "kernels", dtype)

    def step(params: Any, tokens: Array, positions: Array, cache: KVCache) -> Any:
        at = jnp.zeros(len(tokens), jnp.int32)
        settings: Any = {"at": at, "dtype": jnp.dtype(dtype), "platform": platform}
        shard = shard_of(config, 1)
        return extend(params, config, shard, tokens, positions, cache, **settings)

    return jax.jit(step, donate_argnums=3)


def decode(
    config: GrokConfig, params: Any, dtype: str, limits: Limits, people: int, position: int
) -> Row:
    """A step for so many people, each `position` tokens into a conversation."""
    rng = np.random.default_rng(people)
    step = _program(config, dtype)
    cache = _cache(config, people, position + 256, dtype)
    tokens = rng.integers(3, config.vocab_size, (people, 1)).astype(np.int32)
    positions = np.full((people, 1), position, np.int32)
    chosen: list[Array] = []

    def run() -> None:
        nonlocal cache
        _, cache, seen = step(params, tokens, positions, cache)
        chosen[:] = [jax.block_until_ready(seen["experts"])]

    seconds = median_seconds(run, 7) / config.num_layers
    distinct = float(np.mean([len(np.unique(layer)) for layer in np.asarray(chosen[0])]))
    keys = people * position
    needed = layer_bytes(config, dtype, distinct, keys), layer_flops(config, people, keys)
    floor, bound = limits.floor(*needed)
    return Row(f"decode for {people}", seconds, floor, bound)


def prefill(config: GrokConfig, params: Any, dtype: str, limits: Limits) -> Row:
    """A prompt, in chunks of the engine's size."""
    step, chunk = _program(config, dtype), chunks_of(jax.default_backend())[-1]
    cache = _cache(config, 1, PREFILL, dtype)
    tokens = np.random.default_rng(0).integers(3, config.vocab_size, (1, PREFILL)).astype(np.int32)

    def run() -> None:
        nonlocal cache
        for start in range(0, PREFILL, chunk):
            positions = np.arange(start, start + chunk, dtype=np.int32)[None]
            part = tokens[:, start : start + chunk]
            _, cache, _ = step(params, part, positions, cache)
        jax.block_until_ready(cache)

    seconds = median_seconds(run, 3) / config.num_layers
    read = layer_bytes(config, dtype, config.num_experts, PREFILL)
    floor, bound = limits.floor(read, layer_flops(config, PREFILL, PREFILL**2 // 2))
    return Row(f"prefill of {PREFILL}", seconds, floor, bound)


def _cache(config: GrokConfig, slots: int, length: int, dtype: str) -> KVCache:
    make = partial(empty_cache, config.num_layers, slots, config.num_kv_heads, length)
    cache = make(config.key_size, stored_type(dtype))
    return replace(cache, visible=jnp.ones_like(cache.visible))


def layer_bytes(config: GrokConfig, dtype: str, experts: float, keys: int) -> float:
    """Bytes a layer must read: so many experts, all else, and so many positions of the cache."""
    layer = [p for p in parameters(config) if p.layered]
    expert = sum(p.nbytes / config.num_experts for p in layer if len(p.shape) == 3)
    rest = sum(p.nbytes for p in layer if len(p.shape) < 3)
    key = 2 * config.num_kv_heads * config.key_size * stored_type(dtype).itemsize
    return experts * expert + rest + keys * key


def layer_flops(config: GrokConfig, tokens: int, pairs: int) -> float:
    """FLOPs a layer must do for so many tokens, which see so many keys all together."""
    queries = config.num_q_heads * config.key_size
    keys = config.num_kv_heads * config.key_size
    experts = config.num_selected_experts * config.expert_parameters
    matrices = experts + 2 * config.emb_size * (queries + keys)
    return 2.0 * tokens * matrices + 4.0 * pairs * queries


def table(rows: list[Row], config: GrokConfig) -> str:
    """The rows for reading, as Markdown."""
    lines = [
        "| a layer | measured | floor | bound by | of the floor | Grok-1 on 8 such |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        widths = (GROK_1.emb_size / config.emb_size) ** 2
        whole = row.seconds * GROK_1.num_layers * widths / 8
        lines.append(
            f"| {row.work} | {row.seconds * 1e3:.1f} ms | {row.floor * 1e3:.1f} ms | {row.bound} "
            f"| {row.share:.0%} | {whole:.2f} s |"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.layers", description=__doc__)
    parser.add_argument("--width", type=int, help="6144, 3072, 1536 (default: what fits)")
    parser.add_argument("--layers", type=int, help="default: as many as fit")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: the device's")
    parser.add_argument("--position", type=int, default=512, help="tokens each has (default: 512)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

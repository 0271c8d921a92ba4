"""What is asked of a program, what it must read for that at least, and how often its loops run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.gpu.work import Rounds
from grok_app.model.cache import BLOCK, stored_type
from grok_app.model.config import GrokConfig
from grok_app.model.experts import BLOCK_ROWS
from grok_app.model.parameters import Parameter, parameters
from grok_app.model.sharding import scales_division, shard_of, weight_division


@dataclass(frozen=True)
class Step:
    """New tokens: of `people` one each, or of one person's prompt a chunk.

    Attributes:
        position: of the last token.
        tokens: of each.
    """

    people: int
    position: int
    tokens: int = 1

    def experts(self, config: GrokConfig) -> int:
        """The most experts that can be chosen by anybody."""
        pairs = self.people * self.tokens * config.num_selected_experts
        return min(config.num_experts, pairs)


def floor_bytes(config: GrokConfig, devices: int, step: Step, dtype: str) -> int:
    """Bytes that each of so many devices must read: the experts that are chosen, all other
    weights, the table of embeddings in the type that is computed in, and the keys and values of
    all positions so far."""
    shares = {1: 1.0, 2: 1.0, 3: step.experts(config) / config.num_experts}  # by axes of a weight
    weights = sum(
        shares[len(p.shape)] * _part(p, devices, dtype) * (config.num_layers if p.layered else 1)
        for p in parameters(config)
    )
    keys = step.people * (step.position + 1) * shard_of(config, devices).kv_heads * config.key_size
    return int(weights + 2 * keys * stored_type(dtype).itemsize * config.num_layers)


def _part(p: Parameter, devices: int, dtype: str) -> int:
    """Bytes of one device's part of one layer's array."""
    count = math.prod(weight_division(p, devices).part_shape(p.shape))
    if p.groups is None:
        return count * p.kind(dtype).itemsize
    return count + 2 * math.prod(scales_division(p, devices).part_shape(p.scales_shape))


def rounds_of(config: GrokConfig, step: Step) -> Rounds:
    """How often the loops run whose length the device knows: attention over blocks of the cache,
    experts over blocks of their rows, here as many of each; any other once."""
    experts = step.experts(config)
    pairs = step.people * step.tokens * config.num_selected_experts
    blocks = experts * math.ceil(pairs / experts / BLOCK_ROWS)

    def rounds(source: str) -> int:
        if source.endswith("multi_head_attention/while"):
            return step.position // BLOCK + 1
        return blocks if source.endswith("moe/while") else 1

    return rounds

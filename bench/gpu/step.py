"""How often the loops of a program run in a step."""

from __future__ import annotations

import math

from bench.gpu.work import Rounds
from grok_app.checkpoint.speed import Step
from grok_app.model.cache import BLOCK
from grok_app.model.config import GrokConfig
from grok_app.model.experts import BLOCK_ROWS


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

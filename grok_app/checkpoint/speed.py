"""How fast tokens can come, before anything is loaded: bytes over bandwidth, and launches."""

from __future__ import annotations

import math
from dataclasses import dataclass

from grok_app.checkpoint.machine import Machine
from grok_app.checkpoint.plan import Setup
from grok_app.model.cache import stored_type
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import Parameter, parameters
from grok_app.model.sharding import scales_division, shard_of, weight_division

# Of a decode step on GPUs, as `bench.gpu_program` counts them in the compiled program.
_LAUNCHES_A_LAYER, _LAUNCHES, _WAITS = 16, 54, 4
LAUNCH, WAIT = 3e-6, 12e-6  # seconds, assumed: of a kernel's launch, of a wait of the host

MEASURED_BY_OTHERS = (
    "measured by others for one person: gpt-fast 73 tokens/s on eight A100 of 80 GB, ColossalAI "
    "6.7 and the release's own code 1.8 on eight H800"
)


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


@dataclass(frozen=True)
class Speed:
    """An estimate, in tokens a second.

    Attributes:
        one: of a person who is served alone.
        all: of all slots together.
        reason: a sentence: what was counted.
    """

    one: float
    all: float
    reason: str


def estimate(config: GrokConfig, setup: Setup, machine: Machine) -> Speed | None:
    """How fast tokens come in the middle of a full context; None where nobody knows what the
    devices read in a second."""
    if not machine.bandwidth:
        return None
    data, model = setup.mesh
    on_gpus = machine.platform == "gpu"
    launches = _LAUNCHES_A_LAYER * config.num_layers + _LAUNCHES if on_gpus else 0
    fixed = launches * LAUNCH + (_WAITS * WAIT if on_gpus else 0)

    def seconds(people: int) -> float:
        step = Step(people, setup.context // 2)
        return fixed + floor_bytes(config, model, step, setup.dtype) / machine.bandwidth

    each = setup.slots // data
    reason = f"bytes that a token must read, at {machine.bandwidth / 1e9:,.0f} GB/s a device"
    if on_gpus:
        reason += f", and {LAUNCH * 1e6:.0f} us for each of {launches:,} launches"
    return Speed(1 / seconds(1), setup.slots / seconds(each), reason)


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

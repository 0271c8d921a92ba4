"""From interventions to the arrays that the model takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import jax
import numpy as np

from grok_app.interventions import Intervention
from grok_app.model.changes import Changes
from grok_app.model.config import GrokConfig


def changes_of(config: GrokConfig, rows: Sequence[tuple[Intervention, ...]]) -> Changes:
    """Arrays of the host for conversations [b], each with interventions of its own or none."""
    changes = [_changes_of(config, row) for row in rows]
    return jax.tree.map(lambda *arrays: np.stack(arrays), *changes)


@lru_cache(256)
def _changes_of(config: GrokConfig, interventions: tuple[Intervention, ...]) -> Changes:
    """Those of one conversation, without its axis."""
    shape = config.num_layers, config.num_experts
    bias, forced = np.zeros(shape, np.float32), np.zeros(shape, bool)
    instead = np.tile(np.arange(config.num_experts, dtype=np.int32), (config.num_layers, 1))
    factor = np.ones(shape, np.float32)
    for one in interventions:
        at = list(range(config.num_layers) if one.layers is None else one.layers), one.expert
        if one.kind == "zero":
            factor[at] = 0.0
        elif one.kind == "mask":
            bias[at] = -np.inf
        elif one.kind == "swap":
            instead[at] = one.to or 0
        elif one.kind == "force":
            forced[at] = True
        else:
            bias[at] += one.by or 0.0
    arrays = bias, forced, instead, factor
    return Changes(np.array(bool(interventions)), *arrays)  # type: ignore[arg-type]

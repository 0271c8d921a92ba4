"""Every parameter of the model: its Haiku name, shape, stored form and sharding.

This one table is the checkpoint format (names sorted as strings number the files), the
sharding rules (which axis is divided over the mesh axis "model"), and what the modules ask for.

In memory the layers of a parameter are stacked on a leading axis, so that the program loops over
them and neither compile time nor the cost of a call grows with depth; the `N` of
`decoder_layer_N` in the released names becomes that axis' index.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from grok_app.model.config import SCALE_GROUPS, GrokConfig

LAYER = "transformer/decoder_layer"


@dataclass(frozen=True)
class Parameter:
    """One parameter of one layer, or of the model where `layered` is false.

    Attributes:
        module: Haiku module path, without the layer's number.
        name: parameter name within the module.
        shape: of a single layer's array.
        layered: whether every layer has one.
        groups: how many scale groups divide the contracted axis (-2) of an int8 matrix;
            None for a float32 array.
        sharded: the axis divided over the mesh axis "model", counted from the end; None if
            every device holds the whole.
        rounded: whether a float array is kept in the type that is computed in: what is read whole
            for every token, and is a factor of products only.
        copies_with: for key and value matrices, the number of key/value heads: on more devices
            than heads, neighbouring devices hold copies of one head.
    """

    module: str
    name: str
    shape: tuple[int, ...]
    layered: bool = True
    groups: int | None = None
    sharded: int | None = None
    rounded: bool = False
    copies_with: int | None = None

    @property
    def scales_shape(self) -> tuple[int, ...]:
        """Shape of one layer's scales, [..., groups, columns]."""
        assert self.groups is not None
        return (*self.shape[:-2], self.groups, self.shape[-1])

    def kind(self, dtype: Any) -> Any:
        """The type that the array is kept in by a model computing in `dtype`."""
        if self.groups is not None:
            return jnp.dtype(jnp.int8)
        return jnp.dtype(dtype if self.rounded else jnp.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of one layer's array(s) as stored."""
        if self.groups is None:
            return 4 * math.prod(self.shape)
        return math.prod(self.shape) + 2 * math.prod(self.scales_shape)

    def path(self, layer: int) -> tuple[str, str]:
        """The released (module path, parameter name) of one layer's array."""
        if not self.layered:
            return self.module, self.name
        return self.module.replace(LAYER, f"{LAYER}_{layer}", 1), self.name


def parameters(config: GrokConfig) -> tuple[Parameter, ...]:
    """All parameters of a model; sharding is the release's, but the embeddings are divided by
    vocabulary, which turns a sum over devices of every logit into one gathering of them."""
    width, ffn, experts = config.emb_size, config.ffn_size, config.num_experts
    queries = config.num_q_heads * config.key_size
    keys = config.num_kv_heads * config.key_size
    heads, moe = f"{LAYER}/multi_head_attention", f"{LAYER}/moe"
    kv_heads, rows = config.num_kv_heads, SCALE_GROUPS
    norms = ("rms_norm", "rms_norm_1", "rms_norm_2", "rms_norm_3")
    return (
        Parameter(
            "language_model/in_out_embed",
            "embeddings",
            (config.vocab_size, width),
            layered=False,
            sharded=-2,
            rounded=True,
        ),
        Parameter("language_model/rms_norm", "scale", (width,), layered=False),
        Parameter(f"{moe}/linear", "w", (experts, width, ffn), groups=1, sharded=-1),
        Parameter(f"{moe}/linear_1", "w", (experts, ffn, width), groups=rows, sharded=-2),
        Parameter(f"{moe}/linear_v", "w", (experts, width, ffn), groups=1, sharded=-1),
        Parameter(f"{heads}/key", "w", (width, keys), groups=1, sharded=-1, copies_with=kv_heads),
        Parameter(f"{heads}/linear", "w", (queries, width), groups=rows, sharded=-2),
        Parameter(f"{heads}/query", "w", (width, queries), groups=1, sharded=-1),
        Parameter(f"{heads}/value", "w", (width, keys), groups=1, sharded=-1, copies_with=kv_heads),
        *(Parameter(f"{LAYER}/{norm}", "scale", (width,)) for norm in norms),
        Parameter(f"{LAYER}/router", "w", (width, experts)),
    )


def count(config: GrokConfig) -> int:
    """Number of parameters of the model, scales not counted."""
    return sum(
        math.prod(p.shape) * (config.num_layers if p.layered else 1) for p in parameters(config)
    )


def count_active(config: GrokConfig) -> int:
    """Number of parameters that one token's forward pass uses."""
    idle = config.num_experts - config.num_selected_experts
    return count(config) - config.num_layers * idle * config.expert_parameters


def file_order(config: GrokConfig) -> list[tuple[Parameter, int]]:
    """(parameter, layer) of each file of a checkpoint, in the order that numbers the files."""
    entries = [
        (parameter, layer)
        for parameter in parameters(config)
        for layer in range(config.num_layers if parameter.layered else 1)
    ]
    return sorted(entries, key=lambda entry: entry[0].path(entry[1]))

"""The whole model in NumPy's float64, from the formulas and the checkpoint's own arrays.

It shares nothing with the model under test but what reads the files. T tokens, D model width,
V vocabulary, L layers, E experts, k chosen, N query heads, H head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from grok_app import Intervention
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.interventions import KINDS


@dataclass(frozen=True)
class Exact:
    """What the model does with a text.

    Attributes:
        hidden: [L + 1, T, D], before each layer and after the last.
        router_logits: [L, T, E].
        experts, gates: [L, T, k], the largest first.
        attention: [L, N, T, T].
        lens: [L + 1, T, V], log-probabilities by the logits of each of `hidden`.
    """

    hidden: np.ndarray
    router_logits: np.ndarray
    experts: np.ndarray
    gates: np.ndarray
    attention: np.ndarray
    logits: np.ndarray
    lens: np.ndarray


class Float64:
    """A small checkpoint, widened to float64."""

    def __init__(self, folder: Path):
        self._checkpoint = open_checkpoint(folder)
        self.config = self._checkpoint.config

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        """Each array by its released name, scales applied."""
        arrays = {}
        for (parameter, layer), tensor in self._checkpoint.tensors.items():
            array = np.array(tensor.weight.view(), np.float64)
            if tensor.scales is not None:
                scales = np.array(tensor.scales.view()).astype(np.float64)
                rows = array.shape[-2] // scales.shape[-2]
                array *= np.repeat(scales, rows, axis=-2)
            arrays["/".join(parameter.path(layer))] = array
        return arrays

    def __call__(self, ids: list[int], interventions: Sequence[Intervention] = ()) -> Exact:
        """All of a text, none of whose tokens is padding."""
        config, arrays = self.config, self._arrays
        embeddings = arrays["language_model/in_out_embed/embeddings"]
        h = embeddings[ids] * config.embedding_multiplier_scale
        hidden, seen = [h], []
        for layer in range(config.num_layers):
            here = [i for i in interventions if i.layers is None or layer in i.layers]
            h, *noted = self._layer(f"transformer/decoder_layer_{layer}", h, here)
            hidden.append(h)
            seen.append(noted)
        scale = arrays["language_model/rms_norm/scale"]
        logits = [norm(h, scale) @ embeddings.T * config.output_multiplier_scale for h in hidden]
        lens = np.log(np.stack([softmax(of_stream) for of_stream in logits]))
        router_logits, experts, gates, attention = map(np.stack, zip(*seen, strict=True))
        hidden_ = np.stack(hidden)
        return Exact(hidden_, router_logits, experts, gates, attention, logits[-1], lens)

    def _layer(
        self, name: str, h: np.ndarray, interventions: Sequence[Intervention]
    ) -> tuple[np.ndarray, ...]:
        """h -> (h, router logits, experts, gates, attention)."""
        scales = [self._arrays[f"{name}/rms_norm{end}/scale"] for end in ("", "_1", "_2", "_3")]
        out, weights = self._attend(f"{name}/multi_head_attention", norm(h, scales[0]))
        h = h + norm(out, scales[1])
        x = norm(h, scales[2])
        router_logits = x @ self._arrays[f"{name}/router/w"]
        routed = [self._route(logits, interventions) for logits in router_logits]
        chosen, gates = (np.stack(part) for part in zip(*routed, strict=True))
        out = np.zeros_like(h)
        for token, (experts, factors) in enumerate(zip(chosen, gates, strict=True)):
            for expert, factor in zip(experts, factors, strict=True):
                out[token] += factor * self._expert(f"{name}/moe", expert, x[token])
        return h + norm(out, scales[3]), router_logits, chosen, gates, weights

    def _route(
        self, logits: np.ndarray, interventions: Sequence[Intervention]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The experts of one token and their gates [k]; changes `logits` [E] as it is told."""
        of = {kind: [i for i in interventions if i.kind == kind] for kind in KINDS}
        for one in of["bias"]:
            logits[one.expert] += one.by
        for one in of["mask"]:
            logits[one.expert] = -np.inf
        forced = sorted(one.expert for one in of["force"])
        logits[forced] = logits.max()
        others = [expert for expert in np.argsort(-logits) if expert not in forced]
        chosen = [*forced, *others][: self.config.num_selected_experts]
        gates = softmax(logits)[chosen]
        swaps = {one.expert: one.to for one in of["swap"]}
        chosen = [swaps.get(expert, expert) for expert in chosen]
        zeroed = {one.expert for one in of["zero"]}
        return np.array(chosen), np.where([expert in zeroed for expert in chosen], 0.0, gates)

    def _attend(self, name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x [T, D] -> [T, D], and the weights [N, T, T]."""
        config, tokens = self.config, len(x)
        q, k, v = (
            (x @ self._arrays[f"{name}/{part}/w"]).reshape(tokens, -1, config.key_size)
            for part in ("query", "key", "value")
        )
        shared = config.num_q_heads // config.num_kv_heads
        q, k = rotated(q), rotated(k)
        outs, all_weights = [], []
        for head in range(config.num_q_heads):
            scores = q[:, head] @ k[:, head // shared].T * config.attn_output_multiplier
            scores = 30 * np.tanh(scores / 30)
            scores[np.triu_indices(tokens, 1)] = -np.inf
            weights = softmax(scores)
            outs.append(weights @ v[:, head // shared])
            all_weights.append(weights)
        out = np.concatenate(outs, axis=-1) @ self._arrays[f"{name}/linear/w"]
        return out, np.stack(all_weights)

    def _expert(self, name: str, expert: int, x: np.ndarray) -> np.ndarray:
        gate, value, down = (
            self._arrays[f"{name}/{part}/w"][expert] for part in ("linear", "linear_v", "linear_1")
        )
        return (gelu(x @ gate) * (x @ value)) @ down


def norm(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-5) * scale


def softmax(x: np.ndarray) -> np.ndarray:
    weights = np.exp(x - x.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def rotated(x: np.ndarray) -> np.ndarray:
    """x [T, heads, H], whose halves turn together by angles of the position."""
    tokens, _, size = x.shape
    frequencies = 10000.0 ** (-np.arange(0, size, 2) / size)
    angles = (np.arange(tokens)[:, None] * frequencies)[:, None]
    first, second = np.split(x, 2, axis=-1)
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)

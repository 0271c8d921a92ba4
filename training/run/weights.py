"""The parameters in training: random or of a checkpoint at first, exported in the released form."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from grok_app.checkpoint.folder import Checkpoint
from grok_app.checkpoint.stored import StoredWeight
from grok_app.checkpoint.tensor_writer import write_tensor
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import Parameter, file_order, parameters
from training.run.floats import FloatStack, FloatWeight

Params = dict[str, dict[str, Any]]
"""{module: {name: array, or FloatStack of what every layer has}}, all float32."""


def random_parameters(config: GrokConfig, seed: int = 0) -> Params:
    """Matrices that keep a product's variance; norms of one, but those after a block small.

    So depth adds little to the residual stream at first.
    """
    rng = np.random.default_rng(seed)
    return _params(config, lambda p, _: _random(rng, p, config))


def exported_parameters(checkpoint: Checkpoint) -> Params:
    """The parameters of a model that `export` wrote, or of any of the released form."""

    def floats(p: Parameter, layer: int) -> np.ndarray:
        stored = checkpoint.tensors[p, layer]
        weight = stored.weight.view().astype(np.float32)
        if stored.scales is None:
            return weight
        scales = stored.scales.view().astype(np.float32)
        return weight * np.repeat(scales, weight.shape[-2] // scales.shape[-2], axis=-2)

    return _params(checkpoint.config, floats)


def _params(config: GrokConfig, array: Callable[[Parameter, int], np.ndarray]) -> Params:
    """The tree of what `array` gives for each parameter and layer."""
    tree: Params = {}
    for p in parameters(config):
        if p.layered:
            layers = [array(p, layer) for layer in range(config.num_layers)]
            of_experts = len(p.shape) == 3
            value: Any = FloatStack(tuple(tuple(a) if of_experts else a for a in layers))
        else:
            value = array(p, 0)
        tree.setdefault(p.module, {})[p.name] = value
    return jax.tree.map(jnp.asarray, tree)


def _random(rng: np.random.Generator, p: Parameter, config: GrokConfig) -> np.ndarray:
    if p.name == "scale":
        after_block = p.module.endswith(("rms_norm_1", "rms_norm_3"))
        size = (2 * config.num_layers) ** -0.5 if after_block else 1.0
        return np.full(p.shape, size, np.float32)
    fan_in = p.shape[-1] if p.name == "embeddings" else p.shape[-2]
    return (rng.standard_normal(p.shape) * fan_in**-0.5).astype(np.float32)


def export(params: Params, config: GrokConfig, tokenizer: Path, out: Path) -> None:
    """Writes ckpt-0/, config.json and tokenizer.model to the folder `out`, which grok_app loads.

    A model that lies there is replaced once the new one is complete.
    """
    unfinished = out / "ckpt-0.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for number, (p, layer) in enumerate(file_order(config)):
        value = params[p.module][p.name]
        array = np.asarray(value[layer] if p.layered else value)
        stored = array if p.groups is None else quantize(array, p.groups)
        write_tensor(unfinished / f"tensor{number:05d}_000", stored)
    shutil.rmtree(out / "ckpt-0", ignore_errors=True)
    unfinished.rename(out / "ckpt-0")
    (out / "config.json").write_text(json.dumps(dataclasses.asdict(config), indent=1) + "\n")
    shutil.copy(tokenizer, out / "tokenizer.model")


def quantize(matrix: np.ndarray, groups: int) -> StoredWeight:
    """Rounds float32 [..., K, N] to int8, as the release stores its matrices.

    Each column of each of `groups` runs of rows has a bfloat16 scale of its own.
    """
    *lead, rows, columns = matrix.shape
    grouped = matrix.reshape(*lead, groups, rows // groups, columns)
    scales = (np.abs(grouped).max(axis=-2) / 127).astype(ml_dtypes.bfloat16)
    steps = np.maximum(scales.astype(np.float32), 1e-30)[..., None, :]
    weight = np.clip(np.rint(grouped / steps), -127, 127).astype(np.int8)
    return StoredWeight(weight.reshape(matrix.shape), scales)


def served_floats(params: Params, config: GrokConfig) -> dict[str, dict[str, Any]]:
    """The parameters as the serving program takes them, but not rounded to int8."""
    tree: dict[str, dict[str, Any]] = {}
    for p in parameters(config):
        value = params[p.module][p.name]
        stack = value.stacked() if p.layered else value
        tree.setdefault(p.module, {})[p.name] = stack if p.groups is None else FloatWeight(stack)
    return tree

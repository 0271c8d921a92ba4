"""The parameters in training: made at random, and written as a checkpoint of the released form."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np

from grok_app.checkpoint.tensor_reader import StoredWeight
from grok_app.checkpoint.tensor_writer import write_tensor
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import Parameter, file_order, parameters
from training.model import FloatStack


def random_parameters(config: GrokConfig, seed: int = 0) -> dict[str, dict[str, Any]]:
    """{module: {name: array or FloatStack}} of float32: normal with the variance that keeps a
    product's variance; the norms after a block begin small, so that depth adds little at first."""
    rng = np.random.default_rng(seed)
    tree: dict[str, dict[str, Any]] = {}
    for p in parameters(config):
        if not p.layered:
            value: Any = _random(rng, p, config)
        else:
            value = FloatStack(
                tuple(_of_layer(rng, p, config) for _ in range(config.num_layers))
            )
        tree.setdefault(p.module, {})[p.name] = value
    return tree


def _of_layer(rng: np.random.Generator, p: Parameter, config: GrokConfig) -> Any:
    array = _random(rng, p, config)
    return tuple(array) if len(p.shape) == 3 else array


def _random(rng: np.random.Generator, p: Parameter, config: GrokConfig) -> np.ndarray:
    if p.name == "scale":
        after_block = p.module.endswith(("rms_norm_1", "rms_norm_3"))
        size = (2 * config.num_layers) ** -0.5 if after_block else 1.0
        return np.full(p.shape, size, np.float32)
    fan_in = p.shape[-1] if p.name == "embeddings" else p.shape[-2]
    return (rng.standard_normal(p.shape) * fan_in**-0.5).astype(np.float32)


def quantize(matrix: np.ndarray, groups: int) -> StoredWeight:
    """Rounds float32 [..., K, N] to int8 with a bfloat16 scale for each column of each of
    `groups` runs of rows, as the release stores its matrices."""
    *lead, rows, columns = matrix.shape
    grouped = matrix.reshape(*lead, groups, rows // groups, columns)
    scales = (np.abs(grouped).max(axis=-2) / 127).astype(ml_dtypes.bfloat16)
    steps = np.maximum(scales.astype(np.float32), 1e-30)[..., None, :]
    weight = np.clip(np.rint(grouped / steps), -127, 127).astype(np.int8)
    return StoredWeight(weight.reshape(matrix.shape), scales)


def export(params: dict[str, dict[str, Any]], config: GrokConfig, tokenizer: Path, out: Path) -> None:
    """Writes config.json, tokenizer.model and ckpt-0/ to the folder `out`, which grok_app loads."""
    tensors = out / "ckpt-0"
    shutil.rmtree(tensors, ignore_errors=True)
    tensors.mkdir(parents=True)
    for number, (p, layer) in enumerate(file_order(config)):
        value = params[p.module][p.name]
        array = np.asarray(jax.tree.map(np.asarray, value[layer] if p.layered else value))
        stored = array if p.groups is None else quantize(array, p.groups)
        write_tensor(tensors / f"tensor{number:05d}_000", stored)
    (out / "config.json").write_text(json.dumps(dataclasses.asdict(config), indent=1) + "\n")
    shutil.copy(tokenizer, out / "tokenizer.model")

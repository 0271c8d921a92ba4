"""Random checkpoints in the released form, to measure with."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import ml_dtypes
import numpy as np
from tqdm import tqdm

from grok_app.checkpoint.stored import StoredWeight
from grok_app.checkpoint.tensor_writer import write_tensor
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import Parameter, file_order

MIDDLING = GrokConfig(
    vocab_size=32768,
    sequence_len=2048,
    emb_size=1536,
    widening_factor=8,
    key_size=128,
    num_q_heads=12,
    num_kv_heads=4,
    num_layers=4,
    embedding_multiplier_scale=1536**0.5,
)
"""1.26 billion parameters, 377 million of them used by a token."""


def write_checkpoint(folder: Path, config: GrokConfig, seed: int = 0) -> None:
    """Writes a checkpoint of random numbers; products keep the size of their input."""
    (folder / "ckpt-0").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(dataclasses.asdict(config)))
    rng = np.random.default_rng(seed)
    for number, (p, _) in enumerate(tqdm(file_order(config), "writing", unit="file", delay=2)):
        write_tensor(folder / "ckpt-0" / f"tensor{number:05d}_000", _random(rng, p))


def _random(rng: np.random.Generator, p: Parameter) -> np.ndarray | StoredWeight:
    if p.name == "scale":
        return np.ones(p.shape, np.float32)
    fan_in = p.shape[-1] if p.name == "embeddings" else p.shape[-2]
    if p.groups is None:
        return rng.standard_normal(p.shape, np.float32) * np.float32(fan_in**-0.5)
    weight = rng.integers(-127, 128, p.shape, np.int8)
    scale = (3 / fan_in) ** 0.5 / 127  # of a uniform distribution
    return StoredWeight(weight, np.full(p.scales_shape, scale, ml_dtypes.bfloat16))

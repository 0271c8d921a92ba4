"""A corpus and a model so small that training them takes seconds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from grok_app.model.cache import empty_cache
from grok_app.model.config import GrokConfig
from grok_app.model.serving import extend
from grok_app.model.sharding import shard_of
from training.run.weights import Params, served_floats
from training.texts.corpus import DIALOGUES, PROSE

TINY = GrokConfig(
    vocab_size=400,
    sequence_len=64,
    emb_size=32,
    widening_factor=4,
    key_size=8,
    num_q_heads=4,
    num_kv_heads=2,
    num_layers=2,
    num_experts=4,
    embedding_multiplier_scale=32**0.5,
    attn_output_multiplier=8**-0.5,
)
WORDS = "the old house by a river is where nobody ever swims cold".split()  # noqa: SIM905


def sentence(rng: Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(3, 12))).capitalize() + "."


def write(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    path.write_bytes(gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))


def write_corpus(folder: Path, sources: tuple[str, ...] = ("chat",)) -> Path:
    """300 conversations of each source and 60 books."""
    rng = Random(0)
    talks = [
        {"source": source, "turns": [sentence(rng) for _ in range(rng.randint(2, 30))]}
        for source in sources
        for _ in range(300)
    ]
    books = ["\n\n".join(sentence(rng) for _ in range(100)) for _ in range(60)]
    write(folder / DIALOGUES, talks)
    write(folder / PROSE, ({"source": "books", "title": "", "text": text} for text in books))
    return folder


def served_logits(params: Params, tokens: Array) -> np.ndarray:
    """What the serving program computes with the tiny model's floats: [b, T, V]."""
    rows, length = tokens.shape
    cache = empty_cache(
        TINY.num_layers, rows, TINY.num_kv_heads, length, TINY.key_size, jnp.float32
    )
    positions = jnp.broadcast_to(jnp.arange(length), tokens.shape)
    floats = served_floats(params, TINY)
    return np.asarray(extend(floats, TINY, shard_of(TINY, 1), tokens, positions, cache)[0])

"""How likely a model holds texts to be, many at once, through the serving program.

b rows, T tokens a row, L layers, E experts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from tqdm import tqdm

from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.model.cache import empty_cache
from grok_app.model.config import GrokConfig
from grok_app.model.serving import extend
from grok_app.model.sharding import make_mesh, shard_of

BATCH_TOKENS = 4096
WIDTH_STEP = 128  # rows are padded to a multiple of it, so that few programs are compiled

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Scores:
    """What a model makes of rows of tokens.

    Attributes:
        logprobs: for each row float32 [tokens - 1], of each token after those before it, in nats.
        choices: int64 [L, E], how many tokens of all rows chose each expert.
    """

    logprobs: list[np.ndarray]
    choices: np.ndarray


class Scorer:
    """A model that reads and does not write."""

    def __init__(self, params: Any, config: GrokConfig) -> None:
        """`params` as the serving program takes them, on one device."""
        self.params, self.config = params, config
        self._program = jax.jit(partial(_score, config))

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        """The model in a folder. Raises CheckpointError."""
        checkpoint = open_checkpoint(folder)
        return cls(load_parameters(checkpoint, make_mesh((1, 1))), checkpoint.config)

    def score(self, rows: Sequence[Ids], name: str) -> Scores:
        """Scores of rows of two tokens or more, within the model's context; `name` is shown."""
        logprobs = [np.zeros(0, np.float32)] * len(rows)
        choices = np.zeros((self.config.num_layers, self.config.num_experts), np.int64)
        with tqdm(total=len(rows), desc=name, unit=" rows", leave=False) as bar:
            for numbers, tokens in _batches(rows):
                lengths = np.zeros(len(tokens), np.int32)
                lengths[: len(numbers)] = [len(rows[number]) for number in numbers]
                some, chosen = jax.device_get(self._program(self.params, tokens, lengths))
                choices += chosen
                for number, of_row in zip(numbers, some, strict=False):
                    logprobs[number] = of_row[: len(rows[number]) - 1]
                bar.update(len(numbers))
        return Scores(logprobs, choices)

    def log_likelihoods(self, pairs: Sequence[tuple[Ids, Ids]], name: str) -> np.ndarray:
        """For each (context, text) the log-likelihood in nats of the text after the context.

        A context that leaves the text no room loses its oldest tokens. A pair that comes again
        is not computed again.
        """
        unique = list(dict.fromkeys(pairs))
        room = self.config.sequence_len
        rows = [(context + text)[-max(room, len(text) + 1) :] for context, text in unique]
        logprobs = self.score(rows, name).logprobs
        sums = {
            pair: float(row[-len(pair[1]) :].sum())
            for pair, row in zip(unique, logprobs, strict=True)
        }
        return np.array([sums[pair] for pair in pairs])


def _batches(rows: Sequence[Ids]) -> Iterator[tuple[list[int], np.ndarray]]:
    """(numbers of the rows, their tokens int32 [b, T] padded); b follows from T, so there is one
    shape for each width."""
    by_width: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        by_width.setdefault(-(-len(row) // WIDTH_STEP) * WIDTH_STEP, []).append(number)
    for width, numbers in sorted(by_width.items(), reverse=True):
        height = max(1, BATCH_TOKENS // width)
        for start in range(0, len(numbers), height):
            some = numbers[start : start + height]
            tokens = np.zeros((height, width), np.int32)
            for place, number in enumerate(some):
                tokens[place, : len(rows[number])] = rows[number]
            yield some, tokens


def _score(config: GrokConfig, params: Any, tokens: Array, lengths: Array) -> tuple[Array, Array]:
    """Log-probabilities [b, T - 1] of the tokens [b, T] after the first; choices [L, E]."""
    rows, width = tokens.shape
    heads, size = config.num_kv_heads, config.key_size
    cache = empty_cache(config.num_layers, rows, heads, width, size, jnp.float32)
    real = jnp.arange(width) < lengths[:, None]
    positions = jnp.where(real, jnp.arange(width), cache.length)
    logits, _, seen = extend(params, config, shard_of(config, 1), tokens, positions, cache)
    logprobs = jax.nn.log_softmax(logits[:, :-1])
    picked = jnp.take_along_axis(logprobs, tokens[:, 1:, None], axis=-1)[..., 0]
    chosen = seen["experts"][..., None] == jnp.arange(config.num_experts)
    taken = chosen & real[None, :, :, None, None]
    return picked, jnp.sum(taken, axis=(1, 2, 3))

"""What a run must remember to go on exactly where it stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np


@dataclass
class State:
    """The whole state of a run; batches follow from `step` alone.

    Attributes:
        params: see `training.weights.random_parameters`.
        moments: the optimiser's state.
        step: updates made.
        tokens: tokens trained on.
        seconds: time spent training.
    """

    params: Any
    moments: Any
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Writes the state; a crash in the middle leaves the previous one."""
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves((self.params, self.moments))]
        counters = np.array([self.step, self.tokens, self.seconds])
        half = path.with_suffix(".half")
        with half.open("wb") as file:
            np.savez(file, *leaves, counters=counters)
        os.replace(half, path)

    def load(self, path: Path) -> State:
        """The state in a file, given one of the same shapes.

        Raises:
            ValueError: the file is of a model of other sizes.
        """
        old, structure = jax.tree.flatten((self.params, self.moments))
        with np.load(path) as file:
            step, tokens, seconds = file["counters"]
            leaves = [file[f"arr_{i}"] for i in range(len(file.files) - 1)]
        if [leaf.shape for leaf in leaves] != [np.shape(leaf) for leaf in old]:
            raise ValueError(
                f"{path} is of a model of other sizes; remove it or name another --run folder"
            )
        params, moments = jax.tree.unflatten(structure, map(jax.numpy.asarray, leaves))
        return State(params, moments, int(step), int(tokens), float(seconds))

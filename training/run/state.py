"""What a run must remember to go on exactly where it stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import jax
import jax.numpy as jnp
import numpy as np

from grok_app.model.config import GrokConfig
from training.run.optimizer import optimizer
from training.run.weights import Params, random_parameters


class StateError(Exception):
    """A saved run does not fit what is asked of it."""


@dataclass
class State:
    """The whole state of a run; batches follow from `step` alone.

    Attributes:
        params: see `training.run.weights`.
        moments: the optimiser's state.
        step: updates made.
        tokens: tokens trained on.
        seconds: time spent training.
        decayed: whether its learning rate has begun to fall.
    """

    params: Params
    moments: Any
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    decayed: bool = False

    @classmethod
    def new(cls, config: GrokConfig, seed: int = 0) -> State:
        """A run that has not begun, with random parameters."""
        return cls.of(random_parameters(config, seed))

    @classmethod
    def of(cls, params: Params) -> State:
        """A run that has not begun, with these parameters."""
        return cls(params, optimizer().init(params))

    @classmethod
    def load(cls, path: Path, config: GrokConfig) -> State:
        """The state in a file.

        Raises:
            StateError: there is none, or it is damaged, or of a model of other sizes.
        """
        expected = jax.eval_shape(lambda: _tree(cls.new(config)))
        shapes, structure = jax.tree.flatten(expected)
        try:
            with np.load(path) as file:
                step, tokens, seconds, decayed = file["counters"]
                leaves = [file[f"arr_{i}"] for i in range(len(file.files) - 1)]
        except FileNotFoundError:
            raise StateError(f"{path} not found: train a run, or name its --work folder") from None
        except (BadZipFile, EOFError, KeyError, ValueError) as error:
            raise StateError(f"{path} is no saved run, or is damaged: {error}") from None
        if [leaf.shape for leaf in leaves] != [leaf.shape for leaf in shapes]:
            raise StateError(
                f"{path} is of a model of other sizes: remove it, or name another --work folder"
            )
        params, moments = jax.tree.unflatten(structure, map(jnp.asarray, leaves))
        return cls(params, moments, int(step), int(tokens), float(seconds), bool(decayed))

    def save(self, path: Path) -> None:
        """Writes the state; a crash in the middle leaves the previous one."""
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(_tree(self))]
        counters = np.array([self.step, self.tokens, self.seconds, self.decayed])
        half = path.with_suffix(".half")
        with half.open("wb") as file:
            np.savez(file, *leaves, counters=counters)
        os.replace(half, path)


def _tree(state: State) -> tuple[Params, Any]:
    return state.params, state.moments

"""What a run shows while it goes on, and what it notes: log.jsonl, a line every few steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, SupportsFloat

from tqdm import tqdm

from training.run.state import State

LOG_EVERY = 20  # steps


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log, none if there is no such file."""
    return list(map(json.loads, path.read_text().splitlines())) if path.exists() else []


class Progress:
    """A bar that fills with the time spent, and the log."""

    def __init__(self, path: Path, state: State, budget: float) -> None:
        """Goes on with the log at `path`; lines of steps that `state` has not made are dropped."""
        kept = [line for line in read_log(path) if line["step"] <= state.step]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._path = path
        self._bar = tqdm(total=round(budget), initial=round(state.seconds), unit="s")
        self._begin(state)

    def _begin(self, state: State) -> None:
        self._before = state.tokens, state.seconds
        self._metrics: list[Mapping[str, SupportsFloat]] = []

    def add(
        self, state: State, metrics: Mapping[str, SupportsFloat], rate: float, length: int
    ) -> None:
        """Notes a step: the state after it, its parts of the loss, learning rate, row length.

        The parts of the loss may still be computed: they are waited for when a line is written.
        """
        self._metrics.append(metrics)
        self._bar.update(round(state.seconds) - self._bar.n)
        if state.step % LOG_EVERY:
            return
        tokens, seconds = self._before
        speed = (state.tokens - tokens) / max(state.seconds - seconds, 1e-9)
        means = {
            name: sum(float(step[name]) for step in self._metrics) / len(self._metrics)
            for name in metrics
        }
        self._bar.set_postfix_str(
            f"step {state.step}, {state.tokens / 1e6:.2f}M tokens, loss {means['loss']:.3f}, "
            f"{speed:.0f} tokens/s"
        )
        line = {"step": state.step, "tokens": state.tokens, "seconds": round(state.seconds, 1)}
        line |= {"rate": rate, "length": length, "speed": round(speed)}
        line |= {name: round(mean, 4) for name, mean in means.items()}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._begin(state)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        self._bar.close()

"""The learning curve of a run as a picture: `python -m training.report.curve RUN OUT.png`."""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.run.progress import read_log

SMOOTHED = 25  # lines of the log
INK, PALE = "#1f4e79", "#b8cce0"


class LogError(Exception):
    """A run has no log that a curve could be drawn of."""


def read_run(run: Path) -> list[dict[str, Any]]:
    """The log of a run's folder. Raises LogError if it has not two lines."""
    log = read_log(run / "log.jsonl")
    if len(log) < 2:
        raise LogError(f"{run / 'log.jsonl'} has {len(log)} lines; expected the log of a run")
    return log


def draw(log: list[dict[str, Any]]) -> Figure:
    """The loss over the tokens seen, as logged and smoothed, and below it the learning rate.

    Thin lines stand where the length of the rows changed.
    """
    tokens = np.array([line["tokens"] for line in log]) / 1e6
    loss = np.array([line["loss"] for line in log])
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=(4, 1))
    above.plot(tokens, loss, color=PALE, linewidth=1)
    above.plot(tokens, smoothed(loss), color=INK, linewidth=1.8)
    above.set_ylabel("training loss, nats a token")
    above.set_ylim(*_span(loss))
    below.plot(tokens, [1e3 * line["rate"] for line in log], color=INK, linewidth=1.8)
    below.set_ylabel("rate, 1e-3")
    below.set_ylim(bottom=0)
    below.set_xlabel("million tokens")
    changed = [after for before, after in pairwise(log) if before["length"] != after["length"]]
    for number, line in enumerate(changed):
        _mark(above, below, line, level=number % 2)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.92")
        axes.margins(x=0.01)
    return figure


def smoothed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean of each value and the ones around it, of as many on either side as there are."""
    sums = np.cumsum([0.0, *values])
    at = np.arange(len(values))
    reach = np.minimum(np.minimum(at, at[::-1]), SMOOTHED // 2)
    return (sums[at + reach + 1] - sums[at - reach]) / (2 * reach + 1)


def _span(loss: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Of the vertical axis; the first tenth falls from so high that it would flatten the rest."""
    low, high = float(loss.min()), float(loss[len(loss) // 10 :].max())
    return low - 0.05 * (high - low), high + 0.4 * (high - low)


def _mark(above: Axes, below: Axes, line: dict[str, Any], level: int) -> None:
    """A thin line and its label, at one of two levels, so that labels do not overlap."""
    million, top = line["tokens"] / 1e6, 0.98 - 0.07 * level
    for axes in (above, below):
        axes.axvline(million, color="0.7", linewidth=0.8)
    label = f" rows of {line['length']}"
    above.text(million, top, label, transform=above.get_xaxis_transform(), va="top", color="0.4")


def main() -> int:
    """Draws and writes; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.report.curve", description="Draws the learning curve of a run."
    )
    parser.add_argument("run", type=Path, help="a run's folder, where its log.jsonl lies")
    parser.add_argument("out", type=Path, help="the picture to write")
    options = parser.parse_args()
    try:
        draw(read_run(options.run)).savefig(options.out)
    except LogError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

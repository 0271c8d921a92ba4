"""The parts of a training run: what is read, in rows of which length, in how large steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grok_app.model.config import GrokConfig
from training.batches import Batches, sufficient


@dataclass(frozen=True)
class Phase:
    """A part of the run.

    Attributes:
        until: the share of the budget at which it ends.
        context: the share of the model's context that a row fills.
        tokens: tokens a step, in as many rows as that makes.
        mixture: how likely a row is from each pool.
        disguised: the share of the rows of text in which words have other names.
    """

    until: float
    context: float
    tokens: int
    mixture: Mapping[str, float]
    disguised: float

    def shape(self, config: GrokConfig) -> tuple[int, int]:
        """Of a step: (rows, tokens of a row)."""
        length = int(self.context * config.sequence_len)
        return max(1, self.tokens // length), length

    def batches(self, data: Path, config: GrokConfig) -> Batches:
        """Its batches. A pool too small for a row is left out: a corpus may have no books."""
        rows, length = self.shape(config)
        mixture = sufficient(data, self.mixture, length)
        size, disguised = config.vocab_size, self.disguised
        return Batches(
            data, mixture, rows=rows, length=length, vocabulary=size, disguised=disguised
        )


_DRILL = {"drill": 0.75, "plain": 0.10, "dialogues": 0.10, "wit": 0.05}
_BROAD = {"plain": 0.26, "dialogues": 0.45, "wit": 0.22, "prose": 0.03, "drill": 0.04}
_TALK = {"plain": 0.19, "dialogues": 0.30, "wit": 0.26, "long": 0.03, "lesson": 0.20, "drill": 0.02}
_LAST = {"plain": 0.31, "dialogues": 0.36, "wit": 0.15, "long": 0.06, "lesson": 0.10, "drill": 0.02}

PHASES = (  # to look back is learnt first, the rest builds on it; short rows are quicker than long
    Phase(0.10, 1 / 4, 2048, _DRILL, 0.5),
    Phase(0.60, 1 / 4, 2048, _BROAD, 0.4),
    Phase(0.90, 1 / 4, 2048, _TALK, 0.3),
    Phase(1.00, 1, 4096, _LAST, 0.05),
)

"""The parts of a training run: what is read, in rows of which length, in how large steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grok_app.model.config import GrokConfig
from training.run.batches import Batches, sufficient


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
_BROAD = {
    **{"plain": 0.07, "dialogues": 0.11, "more": 0.10, "made": 0.06, "wit": 0.05, "prose": 0.56},
    **{"drill": 0.05},
}
_TALK = {
    **{"plain": 0.12, "dialogues": 0.18, "more": 0.12, "made": 0.14, "wit": 0.07, "prose": 0.17},
    **{"long": 0.03, "lesson": 0.14, "drill": 0.03},
}
_LAST = {
    **{"plain": 0.22, "dialogues": 0.20, "more": 0.10, "made": 0.10, "wit": 0.06, "prose": 0.05},
    **{"long": 0.11, "lesson": 0.13, "drill": 0.03},
}

PHASES = (  # to look back is learnt first, the rest builds on it; short rows are quicker than long
    Phase(0.08, 1 / 4, 2048, _DRILL, 0.5),
    Phase(0.52, 1 / 4, 2048, _BROAD, 0.3),
    Phase(0.75, 1 / 2, 2048, _TALK, 0.2),
    Phase(1.00, 1, 4096, _LAST, 0.05),
)

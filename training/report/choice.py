"""Does it answer what was said? The true eighth turn is to be told from turns of other talks.

A turn's plain likelihood favours what is bland. So what counts is by how much a turn's
log-likelihood per byte rises when the turns before it are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from grok_app.engine.tokenizer import Tokenizer
from training.report.scoring import Ids, Scorer
from training.texts.held_out import Talks, evenly
from training.texts.tokenizer import END
from training.texts.transcripts import PLAIN_LABELS, transcript

CONVERSATIONS = 200
TURN = 8
BEFORE = 6  # turns
OTHERS = 3


def right_choices(scorer: Scorer, tokenizer: Tokenizer, talks: Talks) -> dict[str, float]:
    """For each source the share of conversations whose eighth turn is told from three others.

    The others are the eighth turns of conversations of the same source, drawn with a fixed seed.
    The turns are lines of a transcript that begins with them, after END as in training, its first
    label A; without turns before it, the line is the first. A tie is wrong.
    """
    long = {
        source: [turns for turns in of_source if len(turns) >= TURN]
        for source, of_source in talks.items()
    }
    rng, shares = Random(0), {}
    for source, count in evenly(CONVERSATIONS, long).items():
        if len({turns[TURN - 1] for turns in long[source]}) > OTHERS:
            chosen = rng.sample(long[source], count)
            shares[source] = _share(scorer, tokenizer, chosen, long[source], source, rng)
    return shares


def _share(
    scorer: Scorer,
    tokenizer: Tokenizer,
    talks: Sequence[tuple[str, ...]],
    pool: Sequence[tuple[str, ...]],
    source: str,
    rng: Random,
) -> float:
    pairs: list[tuple[Ids, Ids]] = []
    sizes: list[int] = []
    for turns in talks:
        true = turns[TURN - 1]
        others = sorted({other[TURN - 1] for other in pool} - {true})
        context = _ids(tokenizer, turns[TURN - 1 - BEFORE : TURN - 1])
        for candidate in (true, *rng.sample(others, OTHERS)):
            said = f" {candidate}\n"
            text = tuple(tokenizer.encode(said))
            pairs += [(context, text), (_ids(tokenizer, ()), text)]
            sizes.append(len(said.encode()))
    likely = scorer.log_likelihoods(pairs, f"eighth turns, {source}").reshape(-1, 2)
    rises = ((likely[:, 0] - likely[:, 1]) / sizes).reshape(-1, 1 + OTHERS)
    return float(np.mean(rises[:, 0] > rises[:, 1:].max(axis=1)))


def _ids(tokenizer: Tokenizer, turns: Sequence[str]) -> Ids:
    """A transcript up to where the text of the next turn begins."""
    label = PLAIN_LABELS[len(turns) % 2]
    return (END, *tokenizer.encode(f"{transcript(turns)}{label}:"))

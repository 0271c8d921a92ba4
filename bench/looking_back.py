"""Whether a model finds what was said before: `python -m bench.looking_back assets/nano`.

Nats a token that random tokens cost, the first time and when they come again at once; and names
that nobody has, told in a talk and said again in it. A model that cannot look back pays the same
the second time (induction heads, arXiv 2209.11895). The last tokens of a name tell most: who looks
back knows them once the first has been said.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import numpy as np

import grok_app
from grok_app import EngineOptions

SPELLS = (20, 50, 100)  # tokens
FIRST_PIECE = 300  # tokens before it stand for bytes and the like
MANY = 20
SYLLABLES = "bar dro fen gul hix jom kel lur mip nax pof quo rin sed tuv wob yan zet".split()  # noqa: SIM905
BEFORE = "A: Hello, my name is"
TALK = BEFORE + " {name}.\nB: Nice to meet you,"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.looking_back", description=__doc__)
    parser.add_argument("folder", type=Path, help="the model")
    options = parser.parse_args()
    with closing(grok_app.load(options.folder, EngineOptions(slots=1))) as engine:
        print(f"{'nats a token':24}{'first':>8}{'again':>8}")
        for size in SPELLS:
            first, again = spelled(engine, size)
            print(f"{f'{size} random tokens':24}{first:8.2f}{again:8.2f}")
        first, again = named(engine)
        print(f"{'the rest of a name':24}{first:8.2f}{again:8.2f}")


def spelled(engine: grok_app.Engine, size: int) -> tuple[float, float]:
    """The mean cost of random tokens, and of the same ones when they come again."""
    costs = []
    for seed in range(MANY):
        spell = np.random.default_rng(seed).integers(FIRST_PIECE, engine.config.vocab_size, size)
        told = cost(engine, [1, *spell.tolist(), *spell.tolist()])
        costs.append((told[1:size].mean(), told[size + 1 :].mean()))
    first, again = np.mean(costs, axis=0)
    return first, again


def named(engine: grok_app.Engine) -> tuple[float, float]:
    """The mean cost of a name's tokens but the first, when it is told and when it is said again."""
    assert engine.tokenizer, "a model without tokenizer.model reads no names"
    encode, costs = engine.tokenizer.encode, []
    for seed in range(MANY):
        name = "".join(Random(seed).choices(SYLLABLES, k=3)).capitalize()
        first, again = len(encode(BEFORE)), len(encode(TALK.format(name=name)))
        size = len(encode(f"{BEFORE} {name}")) - first
        told = cost(engine, [1, *encode(f"{TALK.format(name=name)} {name}.\n")])
        costs.append((told[first + 1 : first + size].mean(), told[again + 1 : again + size].mean()))
    mean_first, mean_again = np.mean(costs, axis=0)
    return mean_first, mean_again


def cost(engine: grok_app.Engine, ids: Sequence[int]) -> np.ndarray:
    """Nats of each token after the first."""
    scored = [np.asarray(scores.logprob)[0] for scores in engine.score_all([ids])]
    return -np.concatenate(scored)[: len(ids) - 1]


if __name__ == "__main__":
    main()

"""Exercises in looking back: rows of random tokens that come again, and texts in disguise.

What a talk repeats, such as a name or what it is about, can only be foreseen by finding where it
was said before and what followed there. From text alone a small model has not learnt that after
tens of millions of tokens: most words can be guessed well without. Here nothing else helps, and it
takes some 200 steps (induction heads, arXiv 2209.11895).

A random token that comes for the first time is `hidden`: it is read, but nothing foretells it, and
a model punished for that would learn to expect noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]

FIRST_TOKEN = 3  # those before stand for no text
LONGEST = 37  # tokens, after which a row begins to repeat itself at the latest
TIMES = 4  # that something comes, at most; what is shorter than PADDED tokens more often
PADDED = 8
MOST_DISGUISED = 6  # words of a text
LONGEST_DISGUISE = 3  # tokens


def hidden(tokens: Tokens) -> Tokens:
    """The tokens marked, by their complements (negative), as not to be learnt."""
    return ~tokens


def drill(vocabulary: int, length: int, rng: np.random.Generator) -> Tokens:
    """A row of int32 [length + 1]: spells of random tokens, each at least twice in a row.

    Spells of any length up to LONGEST, short ones as often as long ones: from tokens that repeat
    at once one learns the way to those that lie further back. The first of each is `hidden`.
    """
    row = list[int]()
    while len(row) <= length:
        size = round(2 ** rng.uniform(0, np.log2(LONGEST)))
        spell = rng.integers(FIRST_TOKEN, vocabulary, size, np.int32)
        again = int(rng.integers(1, TIMES) + PADDED // size)
        row += [*hidden(spell), *np.tile(spell, again)]
    return np.array(row[: length + 1], np.int32)


def disguise(row: Tokens, rare: npt.NDArray[np.bool_], rng: np.random.Generator) -> Tokens:
    """The row with some of its words replaced, each by the same random tokens wherever it stands.

    So the drill becomes of use in a text: what a word is called there only the text itself tells.
    Where it is told first it is `hidden`.

    Args:
        row: int32 [length + 1].
        rare: bool [vocabulary], the tokens that may be replaced.
        rng: chooses the words, among those that stand there at least twice.
    """
    tokens, counts = np.unique(row, return_counts=True)
    again = tokens[(counts > 1) & rare[tokens]]
    chosen = rng.permutation(again)[:MOST_DISGUISED]
    sizes = rng.integers(1, LONGEST_DISGUISE + 1, len(chosen))
    names = {
        int(word): rng.integers(FIRST_TOKEN, len(rare), size, np.int32)
        for word, size in zip(chosen, sizes, strict=True)
    }
    untold = {word: hidden(name) for word, name in names.items()}
    told = [
        untold.pop(token) if token in untold else names.get(token, [token])
        for token in row.tolist()
    ]
    return np.concatenate(told)[: len(row)].astype(np.int32)

"""Drawing rows of tokens from the packed pools.

A batch depends on the seed and the step alone, so a run that stopped goes on exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from training.texts.corpus import CorpusError
from training.texts.drill import FIRST_TOKEN, Tokens, disguise, drill
from training.texts.lesson import LastReplies, Lesson

Indices = npt.NDArray[np.int64]

DRILL, LESSON = "drill", "lesson"
"""The pools that are made, not read: see `training.texts.drill` and `training.texts.lesson`."""

LONG = "long"
"""The pool of which only the last replies are learnt: see `training.texts.lesson.LastReplies`."""

COMMON_PART = 20
"""One in so many tokens, the most frequent, is never disguised: they make the text's grammar."""

SAMPLE = 1_000_000  # tokens in which they are counted
CYCLE = 256
"""Rows after which each pool has had its exact share, to 1 / CYCLE."""


class Batches:
    """Batches of windows of the pools, each window once before any comes again."""

    def __init__(
        self,
        folder: Path,
        mixture: Mapping[str, float],
        *,
        rows: int,
        length: int,
        vocabulary: int,
        disguised: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Rows of length + 1 tokens from the pools in `folder`, in the shares of `mixture`.

        A pool of variants, such as "dialogues" for dialogues-0 and so on, is gone through one
        variant after the other; DRILL is made up of all tokens of the `vocabulary`, LESSON of text.
        Of the rows of text a share is `disguised`. Raises CorpusError if a pool is missing or too
        small.
        """
        self._rows, self._disguised, self._seed = rows, disguised, seed
        self._pools = [_pool(folder, name, length, vocabulary, seed) for name in mixture]
        self._shares = _whole_shares(np.array(list(mixture.values())))
        pools = np.repeat(np.arange(len(mixture)), self._shares)
        self._pattern = np.random.default_rng(seed).permutation(pools)

    def __call__(self, step: int) -> npt.NDArray[np.int32]:
        """The batch of a step: int32 [rows, length + 1], negative where hidden (see
        `training.texts.drill`); a row's last token is a target only."""
        first = step * self._rows
        return np.stack([self._row(number) for number in range(first, first + self._rows)])

    def _row(self, number: int) -> Tokens:
        cycle, place = divmod(number, CYCLE)
        pool = self._pattern[place]
        before = int(np.count_nonzero(self._pattern[:place] == pool))
        source = self._pools[pool]
        row = source.row(cycle * int(self._shares[pool]) + before)
        rng = np.random.default_rng((self._seed, number))
        if isinstance(source, _Pool) and rng.random() < self._disguised:
            return source.disguised(row, rng)
        return row


def sufficient(folder: Path, mixture: Mapping[str, float], length: int) -> dict[str, float]:
    """The mixture without the pools that have no row of so many tokens.

    Raises CorpusError if none has, or if one is missing.
    """
    large = {
        name: share
        for name, share in mixture.items()
        if name in (DRILL, LESSON)
        or all(len(np.load(path, mmap_mode="r")) > length for path in _files(folder, name))
    }
    if not large.keys() - {DRILL, LESSON}:
        raise CorpusError(f"too little text: a row has {length} tokens, and no pool has as many")
    return large


def _files(folder: Path, name: str) -> list[Path]:
    """The tokens of a pool, or of its variants."""
    whole = folder / f"{name}.npy"
    paths = [whole] if whole.exists() else sorted(folder.glob(f"{name}-*.npy"))
    files = [path for path in paths if not path.name.endswith(".starts.npy")]
    if not files:
        raise CorpusError(f"no pool {name!r} in {folder}: prepare the data again")
    return files


def _pool(
    folder: Path, name: str, length: int, vocabulary: int, seed: int
) -> _Drill | Lesson | _Answered | _Pool:
    if name == DRILL:
        return _Drill(vocabulary, length, seed)
    if name == LESSON:
        return Lesson(folder / "tokenizer.model", length, seed)
    pool = _Pool(folder, name, length, vocabulary, seed)
    return _Answered(pool, LastReplies(folder / "tokenizer.model")) if name == LONG else pool


class _Pool:
    """The windows of one pool, variant by variant, each variant in a new order every time."""

    def __init__(self, folder: Path, name: str, length: int, vocabulary: int, seed: int) -> None:
        files = _files(folder, name)
        self._length = length
        self._seeds = [(seed, crc32(path.name.encode())) for path in files]
        self._tokens = [np.load(path, mmap_mode="r") for path in files]
        starts = [np.load(path.with_suffix(".starts.npy")) for path in files]
        self._windows = [
            window_starts(start, len(tokens), length)
            for start, tokens in zip(starts, self._tokens, strict=True)
        ]
        self._ends = np.cumsum([len(windows) for windows in self._windows])
        counts = np.bincount(self._tokens[0][:SAMPLE], minlength=vocabulary)
        common = counts.argsort()[-(vocabulary // COMMON_PART) :]
        self._rare = ~np.isin(np.arange(vocabulary), [*range(FIRST_TOKEN), *common])

    def row(self, number: int) -> Tokens:
        epoch, place = divmod(number, int(self._ends[-1]))
        variant = int(np.searchsorted(self._ends, place, side="right"))
        windows = self._windows[variant]
        order = _permutation((*self._seeds[variant], epoch), len(windows))
        start = windows[order[place - self._ends[variant]]]  # a negative index counts from the end
        return self._tokens[variant][start : start + self._length + 1].astype(np.int32)

    def disguised(self, row: Tokens, rng: np.random.Generator) -> Tokens:
        return disguise(row, self._rare, rng)


class _Answered:
    """A pool of which the last replies are learnt."""

    def __init__(self, pool: _Pool, last_replies: LastReplies) -> None:
        self._pool, self._last_replies = pool, last_replies

    def row(self, number: int) -> Tokens:
        return self._last_replies(self._pool.row(number))


class _Drill:
    """Rows to look back in, each another one."""

    def __init__(self, vocabulary: int, length: int, seed: int) -> None:
        self._vocabulary, self._length, self._seed = vocabulary, length, seed

    def row(self, number: int) -> Tokens:
        rng = np.random.default_rng((self._seed, crc32(DRILL.encode()), number))
        return drill(self._vocabulary, self._length, rng)


def window_starts(documents: Indices, total: int, length: int) -> Indices:
    """Where the windows of length + 1 tokens begin, given where the documents do.

    Windows follow one another. But a document cut by a window's end after its middle is begun
    again by the next one, so that most documents are seen from their beginning, and a long one
    goes on in the next window. Raises CorpusError if there is not one window.
    """
    if total <= length:
        raise CorpusError(f"a row of {length} tokens asked for, but a pool has {total} in all")
    starts, at = [], 0
    while at + length < total:
        starts.append(at)
        end = at + length
        cut = int(documents[np.searchsorted(documents, end, side="right") - 1])
        at = cut if cut - at >= length // 2 else end
    if at < total - 1:
        starts.append(total - length - 1)
    return np.array(starts)


def _whole_shares(weights: npt.NDArray[np.float64]) -> Indices:
    """The weights as whole numbers that add up to CYCLE, the largest remainders rounded up."""
    exact = weights / weights.sum() * CYCLE
    shares = np.floor(exact).astype(np.int64)
    shares[np.argsort(shares - exact)[: CYCLE - shares.sum()]] += 1
    return shares


@lru_cache(maxsize=16)
def _permutation(seed: tuple[int, ...], size: int) -> Indices:
    return np.random.default_rng(seed).permutation(size)

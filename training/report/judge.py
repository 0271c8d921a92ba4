"""A judge that tells two personas apart by their replies, and knows nothing else of them."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union


def told_apart(one: Sequence[str], other: Sequence[str]) -> float:
    """The share of replies that the judge gives to the right persona; chance is one half.

    Reply i of each is to the same opening. The judge learns from those to the even ones and is
    tested on the rest, so it cannot go by what was asked. It sees TF-IDF weights of words and
    of runs of characters.

    Args:
        one, other: the replies of two personas, as many of each.
    """
    judge = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", sublinear_tf=True),
            TfidfVectorizer(ngram_range=(1, 4), analyzer="char_wb", sublinear_tf=True),
        ),
        LogisticRegression(C=10.0, max_iter=1000),
    )
    learnt, tested = ([*one[part::2], *other[part::2]] for part in (0, 1))
    judge.fit(learnt, _whose(learnt))
    return float(judge.score(tested, _whose(tested)))


def _whose(replies: Sequence[str]) -> list[int]:
    """0 for the first half, 1 for the second."""
    return [int(number >= len(replies) // 2) for number in range(len(replies))]

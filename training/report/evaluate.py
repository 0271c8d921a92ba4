"""How well a model predicts held-out text.

`python -m training.report.evaluate FOLDER --corpus DIR` prints all figures.

Transcripts are lines `A: ...` and `B: ...`, the first 16 turns of each conversation. The loss is
over every byte of them: the first token is predicted from END, the id that stands between
documents in training, so it has a context too. What is longer than the model's context is read in
windows, each token after at least half a context.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from grok_app.engine.tokenizer import Tokenizer
from grok_app.model.parameters import count, count_active, parameters
from training.report.choice import right_choices
from training.report.command import finish
from training.report.facts import right_facts
from training.report.scoring import Ids, Scorer
from training.run.state import State, StateError
from training.run.weights import served_floats
from training.texts.held_out import (
    held_out_talks,
    held_out_texts,
    more_held_out_talks,
    transcripts,
)
from training.texts.tokenizer import END

Report = dict[str, Any]


def evaluate(folder: Path, corpus: Path, floats: Path | None = None) -> Report:
    """All figures of the model in a folder.

    Args:
        folder: the model.
        corpus: the folder whose held-out text is read.
        floats: the state.npz from which the model was exported, to tell what int8 costs.

    Returns:
        "parameters", "active_parameters", "megabytes" of the folder; "bits_per_byte", "choices",
        "facts" by source or kind, and their "mean"; "more_bits_per_byte", of the corpus' second
        file, empty if it has none; "experts", the share of choices [L, E];
        with `floats` "int8_cost", bits per byte on conversations.

    Raises:
        CheckpointError, CorpusError, StateError: the message says what is wrong.
    """
    tokenizer, scorer = Tokenizer(folder / "tokenizer.model"), Scorer.load(folder)
    exact = _of_state(floats, scorer) if floats else None
    talks = held_out_talks(corpus)
    texts = held_out_texts(corpus, talks)
    bits, choices = bits_per_byte(scorer, tokenizer, texts)
    more, _ = bits_per_byte(scorer, tokenizer, transcripts(more_held_out_talks(corpus)))
    report: Report = {
        "parameters": count(scorer.config),
        "active_parameters": count_active(scorer.config),
        "megabytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6,
        "documents": {source: len(of_source) for source, of_source in texts.items()},
        "bits_per_byte": bits | {"mean": mean(bits[source] for source in talks)},
        "more_bits_per_byte": _with_mean(more),
        "choices": _with_mean(right_choices(scorer, tokenizer, talks)),
        "facts": _with_mean(right_facts(scorer, tokenizer)),
        "experts": (choices / choices.sum(axis=1, keepdims=True)).tolist(),
    }
    if exact:
        unrounded, _ = bits_per_byte(exact, tokenizer, {source: texts[source] for source in talks})
        report["int8_cost"] = mean(bits[source] - unrounded[source] for source in talks)
    return report


def bits_per_byte(
    scorer: Scorer, tokenizer: Tokenizer, texts: Mapping[str, Sequence[str]]
) -> tuple[dict[str, float], np.ndarray]:
    """For each source its bits per byte; and how many tokens chose each expert, int [L, E]."""
    bits: dict[str, float] = {}
    choices = np.zeros((scorer.config.num_layers, scorer.config.num_experts), np.int64)
    for source, documents in texts.items():
        cut = [
            window
            for document in documents
            for window in windows(tokenizer.encode(document), scorer.config.sequence_len)
        ]
        scores = scorer.score([row for row, _ in cut], source)
        nats = -sum(
            float(row[-scored:].sum())
            for row, (_, scored) in zip(scores.logprobs, cut, strict=True)
        )
        bits[source] = nats / math.log(2) / sum(len(document.encode()) for document in documents)
        choices += scores.choices
    return bits, choices


def windows(document: Sequence[int], context: int) -> Iterator[tuple[Ids, int]]:
    """Rows of at most `context` tokens, and how many of the last ones count in each.

    The first begins with END, the others with the half context before what counts in them.
    """
    ids = (END, *document)
    end = min(context, len(ids))
    yield ids[:end], end - 1
    while end < len(ids):
        start = end - context // 2
        before, end = end, min(start + context, len(ids))
        yield ids[start:end], end - before


def _of_state(path: Path, scorer: Scorer) -> Scorer:
    """The float weights from which the scorer's model was exported."""
    floats = served_floats(State.load(path, scorer.config).params, scorer.config)
    for p in parameters(scorer.config):
        ours, theirs = (params[p.module][p.name] for params in (scorer.params, floats))
        if p.groups is None and not np.array_equal(ours, theirs):  # these are exported as they are
            raise StateError(
                f"{path} is not the state from which the model was exported: export again"
            )
    return Scorer(floats, scorer.config)


def _with_mean(shares: dict[str, float]) -> dict[str, float]:
    return shares | {"mean": mean(shares.values())} if shares else {}


def show(report: Report) -> str:
    """The figures as text."""
    lines = [
        f"{report['parameters'] / 1e6:.1f} million parameters, "
        f"{report['active_parameters'] / 1e6:.1f} million used by a token; "
        f"{report['megabytes']:.1f} MB"
    ]
    tables = {
        "bits per byte": (report["bits_per_byte"], "{:.3f}"),
        "bits per byte, second file": (report["more_bits_per_byte"], "{:.3f}"),
        "eighth turn told from three others (chance 25 %)": (report["choices"], "{:.0%}"),
        "fact told four turns before, against another (chance 50 %)": (report["facts"], "{:.0%}"),
    }
    for title, (values, form) in tables.items():
        if not values:
            continue
        lines += ["", title, *(f"  {key:16}{form.format(v):>7}" for key, v in values.items())]
    lines += ["", "share of choices each expert takes, a line a layer"]
    lines += ["  " + "".join(f"{share:7.1%}" for share in layer) for layer in report["experts"]]
    if "int8_cost" in report:
        lines += ["", f"int8 costs {report['int8_cost']:.4f} bits per byte"]
    return "\n".join(lines)


def main() -> int:
    """Evaluates, prints and perhaps writes; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.report.evaluate",
        description="How well a model predicts held-out text.",
    )
    parser.add_argument("folder", type=Path, help="the model")
    parser.add_argument("--corpus", type=Path, required=True, help="what it was trained on")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument(
        "--floats", type=Path, help="the state.npz it was exported from: tells what int8 costs"
    )
    options = parser.parse_args()
    measure = partial(evaluate, options.folder, options.corpus, options.floats)
    return finish(measure, show, options.json)


if __name__ == "__main__":
    sys.exit(main())

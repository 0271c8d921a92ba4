"""Writes a model's card from the figures measured: `python -m training.report.card --machine TEXT`.

The words stand in card.md; this fills in what evaluation.json, replies.json, talks.json and
the run's log say.
They are those of the model that comes with the project: of another one, made of other text, its
sources, its licences and what it cannot do are to be written there first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from grok_app.checkpoint.folder import read_config
from grok_app.errors import CheckpointError
from grok_app.model.config import GrokConfig
from training.report.curve import LogError, draw, read_run
from training.report.markdown import escape, table
from training.report.talks import FACTS, SUMS, figures, transcripts
from training.run.optimizer import DECAY_PART, PEAK
from training.run.phases import PHASES
from training.texts.asides import EXCHANGES
from training.texts.corpus import HELD_OUT_EVERY
from training.texts.dataset import WORK
from training.texts.definitions import LINES as CYNIC
from training.texts.echoes import ECHOES
from training.texts.knowledge import TABLES
from training.texts.tales import LINES as TALES
from training.texts.talks.voice import REPLIES, read
from training.texts.voices import VOICES

WORDS = Path(__file__).parent / "card.md"
TALK_DATA = ("things", "lists", "words", "jokes", "help", "days", "told", "stories")

GEMMA = {  # gemma-3-270m, Q4_K_M, measured in the same way
    "chitchat": 1.178,
    "persona-chat": 0.693,
    "topical-chat": 1.097,
    "schema-guided": 1.005,
    "mean": 0.993,
}

Report = Mapping[str, Any]


def card(
    config: GrokConfig,
    evaluation: Report,
    replies: Report,
    talks: Report,
    log: Sequence[Report],
    machine: str,
    history: str | None = None,
    options: str = "",
    larger_steps: int = 1,
) -> str:
    """The card as Markdown.

    Args:
        config: the model's sizes.
        evaluation, replies, talks: the figures of `training.report.evaluate`, of
            `training.report.replies` and of `training.report.talks`.
        log: the lines of the run's log.
        machine: what it was trained on.
        history: how it went, of a run that was not made in one piece from random weights.
        options: with which it was trained, beside minutes, learning rate and larger steps.
        larger_steps: how many times as many tokens a step as the phases say.
    """
    last, peak = log[-1], max(line["rate"] for line in log)
    history = history or (
        f"It began with random weights. The learning rate warmed up, was held at {peak:g}, and "
        f"fell to zero over the last {DECAY_PART:.0%} of the time."
    )
    minutes = last["seconds"] / 60
    told = f"{minutes:.1f}" if minutes < 10 else f"{minutes:.0f}"
    rate = "" if peak == PEAK else f" --rate {peak:g}"
    further = f" --larger-steps {larger_steps}" if larger_steps != 1 else ""
    further += f" {options}" if options else ""
    return Template(WORDS.read_text("utf-8")).substitute(
        million=f"{evaluation['parameters'] / 1e6:.1f}",
        active=f"{evaluation['active_parameters'] / 1e6:.1f}",
        megabytes=f"{evaluation['megabytes']:.1f}",
        architecture=table(("", ""), _architecture(config)),
        held_every=f"One in {HELD_OUT_EVERY}",
        command=f'    make train ARGS="--corpus DIR --minutes {told}{rate}{further}"',
        time=f"{told} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours",
        machine=escape(machine),
        history=escape(history),
        tokens=f"{last['tokens'] / 1e6:.1f}",
        steps=f"{last['step']:,}",
        quips=_written("quips"),
        asks=_written("asks"),
        exchanges_written=sum(len(entry["user"]) for entry in EXCHANGES),
        answers=sum(len(entry["replies"]) for entry in EXCHANGES),
        echoes=sum(len(entry["replies"][kind]) for entry in ECHOES for kind in entry["replies"]),
        plots=len(TALES["plots"]),
        definitions=sum(len(texts) for texts in _definitions()),
        known=sum(len(table["rows"]) for table in TABLES),
        rows=sum(_texts(read(name)) for name in TALK_DATA),
        frames=sum(_texts(lines) for lines in REPLIES.values()),
        phases=_phases(config, larger_steps),
        bits=_bits(evaluation["bits_per_byte"]),
        int8=_int8(evaluation),
        choices=_shares(evaluation["choices"]),
        facts=_shares(evaluation["facts"]),
        experts=_experts(evaluation["experts"]),
        openings=replies["openings"],
        replies=_replies(replies["personas"]),
        apart=table(
            ("", "", "told apart"),
            ((one, other, f"{share:.0%}") for one, other, share in replies["told_apart"]),
        ),
        sums=SUMS,
        told=len(FACTS),
        talk_figures=figures(talks),
        talks=transcripts(talks),
        exchanges=table(
            ("user", "persona", "reply"),
            ((e["user"], e["persona"], e["reply"]) for e in replies["exchanges"]),
        ),
    )


def _architecture(config: GrokConfig) -> Iterable[tuple[str, object]]:
    experts = f"{config.num_experts} of {config.ffn_size} wide, {config.num_selected_experts} used"
    return (
        ("layers, width", f"{config.num_layers}, {config.emb_size}"),
        ("attention", f"{config.num_q_heads} query heads, {config.num_kv_heads} key/value heads"),
        ("head size", config.key_size),
        ("experts", f"{experts} by a token"),
        ("vocabulary", f"{config.vocab_size}, SentencePiece with byte fallback"),
        ("context", f"{config.sequence_len} tokens"),
    )


def _phases(config: GrokConfig, larger_steps: int) -> str:
    rows = [
        (
            f"{phase.until:.0%}",
            phase.shape(config)[1],
            larger_steps * phase.tokens,
            f"{phase.disguised:.0%}",
            ", ".join(f"{name} {share:.0%}" for name, share in phase.mixture.items()),
        )
        for phase in PHASES
    ]
    head = ("until this share of the time", "tokens a row", "tokens a step", "disguised", "text")
    return table(head, rows)


def _written(kind: str) -> int:
    """Lines of a kind that were written for the voices."""
    return sum(len(topic[kind]) for topic in (*VOICES["topics"].values(), VOICES["general"]))


def _texts(data: Any) -> int:
    """How many texts stand in the data, the names of its parts not counted."""
    if isinstance(data, dict):
        data = list(data.values())
    return sum(map(_texts, data)) if isinstance(data, list) else isinstance(data, str)


def _definitions() -> Iterable[Sequence[str]]:
    yield from CYNIC["words"].values()
    yield from (kind["definitions"] for kind in CYNIC["kinds"].values())


def _bits(bits: Mapping[str, float]) -> str:
    rows = [
        (source, f"{value:.3f}", f"{GEMMA[source]:.3f}" if source in GEMMA else "")
        for source, value in bits.items()
    ]
    return table(("", "this model", "gemma-3-270m"), rows)


def _int8(evaluation: Report) -> str:
    if "int8_cost" not in evaluation:
        return ""
    cost = evaluation["int8_cost"]
    told = f"{cost:.4f}" if abs(cost) >= 5e-5 else "less than 0.0001"
    return f"\nRounding the weights to int8 costs {told} bits per byte.\n"


def _shares(shares: Mapping[str, float]) -> str:
    return table(("", "right"), ((name, f"{share:.0%}") for name, share in shares.items()))


def _experts(layers: Sequence[Sequence[float]]) -> str:
    rows = ((n, f"{min(layer):.1%}", f"{max(layer):.1%}") for n, layer in enumerate(layers))
    return table(("layer", "least", "most"), rows)


def _replies(personas: Mapping[str, Report]) -> str:
    rows = [
        (
            name,
            *(f"{row[key]:.1%}" for key in ("ended", "labels", "repeats", "empty")),
            f"{row['median_words']:g}",
        )
        for name, row in personas.items()
    ]
    return table(("", "ended", "label", "repeats", "empty", "median words"), rows)


def main() -> int:
    """Writes MODEL_CARD.md and learning_curve.png; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.report.card", description="Writes a model's card from its figures."
    )
    parser.add_argument(
        "--model", type=Path, default=Path("assets/nano"), help="its folder (%(default)s)"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=WORK,
        help="folder of what was measured and of run/log.jsonl (%(default)s)",
    )
    parser.add_argument("--machine", required=True, help="what it was trained on, in words")
    parser.add_argument(
        "--history",
        help="sentences on how the run went, if not in one piece and from random weights",
    )
    parser.add_argument(
        "--options",
        default="",
        help="further options of the training command, such as --options='--dropout 0.15'",
    )
    parser.add_argument(
        "--larger-steps", type=int, default=1, help="that of the training command (%(default)s)"
    )
    options = parser.parse_args()
    try:
        log = read_run(options.work / "run")
        evaluation, replies, talks = (
            json.loads((options.work / f"{name}.json").read_text("utf-8"))
            for name in ("evaluation", "replies", "talks")
        )
        told = options.machine, options.history, options.options, options.larger_steps
        text = card(read_config(options.model), evaluation, replies, talks, log, *told)
    except (LogError, CheckpointError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    (options.model / "MODEL_CARD.md").write_text(text, "utf-8")
    draw(log).savefig(options.model / "learning_curve.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())

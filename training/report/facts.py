"""Does it remember? A fact told in the first turn should be likelier in the fifth than another."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from grok_app.engine.tokenizer import Tokenizer
from training.report.scoring import Scorer
from training.texts.tokenizer import END
from training.texts.transcripts import PLAIN_LABELS, transcript

CASES = Path(__file__).parent / "facts.toml"


@dataclass(frozen=True)
class Case:
    """A conversation of four turns, and two fifth turns of which one fits what was told."""

    kind: str
    turns: tuple[str, ...]
    fitting: str
    other: str


def made_cases() -> Iterator[Case]:
    """The 100 cases of facts.toml. Two facts are set against each other both ways round, so that
    a model without a memory is right in half of them, whatever it finds likely."""
    made = tomllib.loads(CASES.read_text("utf-8"))
    between = cycle(made["between"])
    for kind in made["kinds"]:
        values = kind["values"]
        for pair in zip(values[::2], values[1::2], strict=True):
            small_talk = next(between)
            for fact, other in (pair, pair[::-1]):
                yield Case(
                    kind["name"],
                    (kind["told"].format(fact=fact), *small_talk),
                    kind["place"].format(fact=fact),
                    kind["place"].format(fact=other),
                )


def right_facts(scorer: Scorer, tokenizer: Tokenizer) -> dict[str, float]:
    """For each kind of fact the share of cases in which the fitting turn is the likelier one."""
    cases = list(made_cases())
    pairs = []
    for case in cases:
        label = PLAIN_LABELS[len(case.turns) % 2]
        context = (END, *tokenizer.encode(f"{transcript(case.turns)}{label}:"))
        pairs += [
            (context, tuple(tokenizer.encode(f" {turn}\n"))) for turn in (case.fitting, case.other)
        ]
    fitting, other = scorer.log_likelihoods(pairs, "facts").reshape(-1, 2).T
    right: dict[str, list[bool]] = {}
    for case, is_right in zip(cases, fitting > other, strict=True):
        right.setdefault(case.kind, []).append(bool(is_right))
    return {kind: sum(of_kind) / len(of_kind) for kind, of_kind in right.items()}

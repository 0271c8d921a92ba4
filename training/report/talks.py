"""Talks held with a model, unpicked: `python -m training.report.talks FOLDER`.

Ten scripts of eight messages are put to each persona, every reply made after all that was said
before it; beside them sums, and facts that are told and asked for later. The messages are those
of a stranger, in talks.toml.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

from tqdm import tqdm

import grok_app
from grok_app.chat import Persona, load_personas
from grok_app.engine.engine import Engine
from training.report.command import finish
from training.report.lines import borrows
from training.report.markdown import escape, table
from training.report.replies import replies_of
from training.texts.corpus import CRISIS_LINE
from training.texts.talks.check import repeated
from training.texts.talks.numbers import Sum, draw_sum, numbers_in

TEXTS = tomllib.loads((Path(__file__).parent / "talks.toml").read_text("utf-8"))
SCRIPTS, FACTS, BETWEEN = TEXTS["scripts"], TEXTS["facts"], TEXTS["between"]
SUMS = 40
LARGEST = 20
FIGURES = {
    "borrowed": "another's line",
    "repeated": "said before",
    "crisis": "crisis line",
    "sums": "sums right",
    "facts": "facts found",
}
"""What `measure` measures, and how a table calls it."""

Report = Mapping[str, Any]
Answer = Callable[[Sequence[str], str], str]
"""The reply to a message after turns."""


def hold(answer: Answer, messages: Sequence[str]) -> list[str]:
    """The turns of a talk in which the messages come one after the other."""
    turns: list[str] = []
    for message in messages:
        turns += [message, answer(turns, message)]
    return turns


def drawn_sums() -> list[Sum]:
    """SUMS different sums whose numbers and results are up to LARGEST, always the same."""
    drawn = dict.fromkeys(draw_sum(Random(seed)) for seed in range(20 * SUMS))
    small = [this for this in drawn if max(this.a, this.b, this.result) <= LARGEST]
    return Random(0).sample(small, SUMS)


def is_right(reply: str, this: Sum) -> bool:
    """Whether the reply tells the sum's result, and no number that is not in the sum."""
    told = {*numbers_in(reply)}
    return this.result in told and told <= {this.a, this.b, this.result}


def measure(engine: Engine, persona: Persona) -> Report:
    """The talks held with a persona, and its figures.

    Returns:
        "talks", each a list of turns; of all their replies the shares "borrowed" (with a line
        written for another persona), "repeated" (with what was said before in the talk) and
        "crisis" (naming a crisis line); the shares of "sums" that are right and of "facts" found.
    """

    def answer(turns: Sequence[str], message: str) -> str:
        return replies_of(engine, persona, [message], turns)[0].text

    sums = drawn_sums()
    asked = [
        [TEXTS["sums"][number % len(TEXTS["sums"])].format(a=it.a, sign=it.sign, b=it.b)]
        for number, it in enumerate(sums)
    ]
    recalled = [
        [told, *BETWEEN[number % len(BETWEEN)], question]
        for number, (told, question, _) in enumerate(FACTS)
    ]
    scripts = [*SCRIPTS, *asked, *recalled]
    with ThreadPoolExecutor(engine.slots) as pool:
        held = pool.map(lambda messages: hold(answer, messages), scripts)
        talks = list(tqdm(held, persona.name, len(scripts), unit=" talks", leave=False))
    unscripted = talks[len(SCRIPTS) :]
    talks = talks[: len(SCRIPTS)]
    replies = [reply for turns in talks for reply in turns[1::2]]
    return {
        "talks": talks,
        "borrowed": mean(borrows(reply, persona.slug) for reply in replies),
        "repeated": sum(repeated(turns[1::2]) for turns in talks) / len(replies),
        "crisis": mean(CRISIS_LINE.search(reply) is not None for reply in replies),
        "sums": mean(is_right(turns[-1], it) for turns, it in zip(unscripted, sums, strict=False)),
        "facts": mean(
            re.search(rf"\b{value}\b", turns[-1], re.IGNORECASE) is not None
            for turns, (_, _, value) in zip(unscripted[SUMS:], FACTS, strict=True)
        ),
    }


def show(report: Report) -> str:
    """The figures and all the talks, as Markdown."""
    return f"{figures(report)}\n\n{transcripts(report)}"


def figures(report: Report) -> str:
    """The figures of each persona as a table."""
    rows = [(name, *(f"{row[key]:.1%}" for key in FIGURES)) for name, row in report.items()]
    return table(("", *FIGURES.values()), rows)


def transcripts(report: Report) -> str:
    """All the talks, what the persona replies in italics."""
    lines = list[str]()
    for name, row in report.items():
        for number, turns in enumerate(row["talks"], 1):
            lines += ["", f"**{escape(name)}, talk {number}**", ""]
            for message, reply in zip(turns[::2], turns[1::2], strict=True):
                lines.append(f"- {escape(message)}<br>*{escape(reply) or 'nothing'}*")
    return "\n".join(lines).strip()


def main() -> int:
    """Holds the talks, prints and perhaps writes them; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.report.talks",
        description="Holds ten scripted talks with each persona and measures the replies.",
    )
    parser.add_argument("folder", type=Path, help="the model")
    parser.add_argument("--json", type=Path, help="where to write figures and talks")
    parser.add_argument(
        "--persona-dir", type=Path, default=Path("prompts"), help="(default: %(default)s)"
    )
    options = parser.parse_args()

    def measure_all() -> Report:
        personas = [p for p in load_personas(options.persona_dir) if p.labels]
        with closing(grok_app.load(options.folder)) as engine:
            return {persona.name: measure(engine, persona) for persona in personas}

    return finish(measure_all, show, options.json)


if __name__ == "__main__":
    sys.exit(main())

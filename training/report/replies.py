"""How a model replies under each persona: `python -m training.report.replies FOLDER --corpus DIR`.

Each persona of prompts/ that has labels is asked the same 200 held-out openings, at its own
sampling settings, through the same prompt and engine as in the app; the seed is the opening's
number, so the same model gives the same replies.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import mean, median
from typing import Any

from tqdm import tqdm

import grok_app
from grok_app import EngineOptions
from grok_app.chat import Persona, Turn, load_personas
from grok_app.engine.engine import Engine
from grok_app.replies import Wish, chat_wish, pieces, start
from training.report.command import finish
from training.report.judge import told_apart
from training.texts.corpus import CorpusError, is_rude
from training.texts.held_out import Talks, evenly, held_out_talks
from training.texts.transcripts import introduce

OPENINGS = 200
FEWEST = 2  # one to learn from, one to be tested on
LONGEST = 80  # tokens, within which a reply should end by itself
NAMES = ("Alex", "Sam")  # where an opening has a gap for the speaker's name, or for the other's

Report = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What a persona said to an opening.

    Attributes:
        text: as a reader sees it.
        tokens: made for it, those of the label that ended it included.
        ended: whether it ended by itself.
    """

    text: str
    tokens: int
    ended: bool


def openings(talks: Talks) -> list[str]:
    """First turns of held-out conversations, evenly from all sources, in a fixed random order."""
    first = {
        source: sorted({introduce(turns[:1], NAMES)[0] for turns in of_source})
        for source, of_source in talks.items()
    }
    fit = {
        source: [text for text in texts if text and not is_rude(text)]
        for source, texts in first.items()
    }
    rng = Random(0)
    chosen = [
        text
        for source, count in evenly(OPENINGS, fit).items()
        for text in rng.sample(fit[source], count)
    ]
    return rng.sample(chosen, len(chosen))


def replies_of(
    engine: Engine, persona: Persona, texts: Sequence[str], before: Sequence[str] = ()
) -> list[Reply]:
    """The persona's replies to the texts, each after the turns `before`; as many at once as the
    engine has slots. The seed of a reply is its text's number."""

    def wish(number: int) -> Wish:
        said = (*before, texts[number])
        turns = [Turn("assistant" if at % 2 else "user", text) for at, text in enumerate(said)]
        return chat_wish(engine, persona, turns, persona.sampling, seed=number)

    wishes = [wish(number) for number in range(len(texts))]
    return asyncio.run(_answered(engine, wishes, persona.name))


async def _answered(engine: Engine, wishes: Sequence[Wish], name: str) -> list[Reply]:
    free = asyncio.Semaphore(engine.slots)
    with tqdm(total=len(wishes), desc=name, unit=" replies", leave=False) as bar:

        async def answered(wish: Wish) -> Reply:
            async with free:
                (made,) = await start(engine, [wish])
                async for _ in pieces([made]):
                    pass
            bar.update()
            return Reply(made.text, len(made.pieces), made.ended == "stop")

        return await asyncio.gather(*map(answered, wishes))


def shows_label(reply: str, persona: Persona) -> bool:
    """Whether a reader sees a label or a stop string: one of the persona's anywhere, or that of
    anybody at the beginning of a further line."""
    assert persona.labels is not None
    own = (*persona.stops, *(f"{label}:" for label in vars(persona.labels).values()))
    return any(text in reply for text in own) or _LABEL.search(reply) is not None


def repeats(reply: str) -> bool:
    """Whether the same four words in a row come three times or more."""
    words = reply.lower().split()
    runs = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    return max(runs.values(), default=0) >= 3


_LABEL = re.compile(r"\n\s*[A-Z]\w{0,20}:")


def figures(replies: Sequence[Reply], persona: Persona) -> dict[str, float]:
    """Shares of the replies that ended, showed a label, repeated themselves, are empty; and the
    median of their words."""
    return {
        "ended": mean(reply.ended and reply.tokens <= LONGEST for reply in replies),
        "labels": mean(shows_label(reply.text, persona) for reply in replies),
        "repeats": mean(repeats(reply.text) for reply in replies),
        "empty": mean(not reply.text for reply in replies),
        "median_words": median(len(reply.text.split()) for reply in replies),
    }


def converse(engine: Engine, personas: Sequence[Persona], talks: Talks) -> Report:
    """All figures of the replies to held-out openings.

    Returns:
        "openings", their number; "personas", `figures` by name; "told_apart", pairs of names with
        the judge's share; "exchanges", every opening that a persona suggests, and its reply: a
        card may show these, for they are not the corpus' text.

    Raises:
        CorpusError: there are too few openings.
    """
    texts = openings(talks)
    if len(texts) < FEWEST:
        raise CorpusError(f"{len(texts)} openings in the held-out text; a judge needs {FEWEST}")
    said = {persona.name: replies_of(engine, persona, texts) for persona in personas}
    pairs = [
        (one, other, told_apart([r.text for r in said[one]], [r.text for r in said[other]]))
        for one, other in combinations(said, 2)
    ]
    return {
        "openings": len(texts),
        "personas": {p.name: figures(said[p.name], p) for p in personas},
        "told_apart": pairs,
        "exchanges": [exchange for p in personas for exchange in _suggested(engine, p)],
    }


def _suggested(engine: Engine, persona: Persona) -> list[dict[str, str]]:
    replies = replies_of(engine, persona, persona.suggestions)
    return [
        {"persona": persona.name, "user": opening, "reply": reply.text}
        for opening, reply in zip(persona.suggestions, replies, strict=True)
    ]


def show(report: Report) -> str:
    """The figures as text."""
    lines = [
        f"{report['openings']} held-out openings",
        "",
        f"{'persona':20} ended  label repeats empty  words",
    ]
    for name, row in report["personas"].items():
        shares = "".join(f"{row[key]:7.1%}" for key in ("ended", "labels", "repeats", "empty"))
        lines.append(f"{name:18}{shares}{row['median_words']:6g}")
    lines += ["", "told apart by a judge (chance 50 %)"]
    lines += [f"  {f'{one}, {other}':36}{share:5.0%}" for one, other, share in report["told_apart"]]
    for exchange in report["exchanges"]:
        lines += ["", f"User: {exchange['user']}", f"{exchange['persona']}: {exchange['reply']}"]
    return "\n".join(lines)


def main() -> int:
    """Asks, prints and perhaps writes; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.report.replies",
        description="How a model replies under each persona.",
    )
    parser.add_argument("folder", type=Path, help="the model")
    parser.add_argument("--corpus", type=Path, required=True, help="what it was trained on")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument(
        "--persona-dir", type=Path, default=Path("prompts"), help="(default: %(default)s)"
    )
    options = parser.parse_args()

    def measure() -> Report:
        talks = held_out_talks(options.corpus)
        personas = [p for p in load_personas(options.persona_dir) if p.labels]
        with closing(grok_app.load(options.folder, EngineOptions(slots=8))) as engine:
            return converse(engine, personas, talks)

    return finish(measure, show, options.json)


if __name__ == "__main__":
    sys.exit(main())

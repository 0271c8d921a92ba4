"""GSM8K: grade-school mathematics in words (Cobbe et al., arXiv 2110.14168).

A problem's solution ends with a line `#### NUMBER`. As the authors do, the number after #### is
taken from the reply too, thousands' commas removed, and must be the same text; a reply without
one is wrong.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from grok_app import SamplingParams
from grok_app.errors import SettingsError
from grok_app.files import read_whole
from grok_app.replies import Reply, pieces, start, stop, text_wish

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

_NUMBER = re.compile(r"#### (-?[0-9.,]+)")
_STOP = "\n\nQuestion:"


@dataclass(frozen=True)
class Problem:
    """A question, and a worked solution that ends with its number."""

    question: str
    answer: str

    @property
    def asked(self) -> str:
        """The question as a prompt has it."""
        return f"Question: {self.question}\nAnswer:"


def read_problems(path: Path) -> list[Problem]:
    """The problems of a file, a JSON object with question and answer a line.

    Raises:
        SettingsError: the file cannot be read, or a line is no problem; names the line.
    """
    try:
        lines = read_whole(path).decode().split("\n")  # a string may hold U+2028
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    return [_problem(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _problem(path: Path, number: int, line: str) -> Problem:
    try:
        value = json.loads(line)
        problem = Problem(value["question"], value["answer"])
        if not isinstance(problem.question, str) or not isinstance(problem.answer, str):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        problem = Problem("", "")
    if not problem.question or number_of(problem.answer) is None:
        raise SettingsError(
            f"{path}, line {number}: expected a JSON object with a question, and an answer that "
            "ends with #### and a number"
        )
    return problem


def number_of(text: str) -> str | None:
    """The number after ####, without commas; None where there is none."""
    found = _NUMBER.search(text)
    return found[1].replace(",", "") if found else None


def prompt(examples: Sequence[Problem], problem: Problem) -> str:
    """Worked examples, then the question."""
    worked = "".join(f"{example.asked} {example.answer}\n\n" for example in examples)
    return worked + problem.asked


def ask(
    engine: Engine, examples: Sequence[Problem], problems: Iterable[Problem], max_tokens: int
) -> Iterator[str]:
    """The greedy replies to the problems, in their order; as many at once as there are slots.

    Raises:
        RequestError: a prompt is too long for the context.
        EngineFailed: the engine has stopped.
    """
    params = SamplingParams(max_tokens=max_tokens, temperature=0, stop=_STOP)
    wishes = (text_wish(engine, prompt(examples, problem), params) for problem in problems)
    under_way: deque[Reply] = deque()
    with asyncio.Runner() as runner:
        try:
            under_way.extend(runner.run(start(engine, list(islice(wishes, engine.slots)))))
            while under_way:
                yield runner.run(_whole(under_way.popleft()))
                under_way.extend(runner.run(start(engine, list(islice(wishes, 1)))))
        finally:
            stop(under_way)


async def _whole(reply: Reply) -> str:
    async for _ in pieces([reply]):
        pass
    return reply.text

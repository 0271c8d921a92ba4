"""Measure how good a model is: GSM8K, or the perplexity of a text.

Writes a report as JSON, never over another. Interrupted, the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

import grok_app
from grok_app.cli.texts import read_text
from grok_app.errors import SettingsError
from grok_app.evaluation import gsm8k, perplexity
from grok_app.evaluation.gsm8k import Problem
from grok_app.evaluation.journal import Journal, check_unfinished
from grok_app.files import read_whole
from grok_app.options import EngineOptions
from grok_app.settings import Settings

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

FOLDER = Path("evaluations")  # of the reports, where no other place is named


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the benchmarks and their options."""
    benchmarks = parser.add_subparsers(dest="benchmark", required=True)
    problems = benchmarks.add_parser("gsm8k", help="grade-school mathematics in words")
    problems.add_argument("file", type=Path, help="the problems, JSON lines")
    problems.add_argument("--shots", type=int, default=8, help="worked examples (default: 8)")
    problems.add_argument(
        "--examples", type=Path, help="file of the examples (default: the first of the problems)"
    )
    problems.add_argument("--limit", type=int, help="ask only so many (default: all)")
    problems.add_argument("--max-tokens", type=int, default=256, help="of a reply (default: 256)")
    text = benchmarks.add_parser("perplexity", help="how surprised the model is by a text")
    text.add_argument("file", type=Path, help="the text, UTF-8")
    for benchmark, read, evaluate in (
        (problems, _read_problems, _gsm8k),
        (text, _read_text, _perplexity),
    ):
        benchmark.set_defaults(read=read, evaluate=evaluate)
        benchmark.add_argument("--checkpoint", type=Path, default=Settings.checkpoint)
        benchmark.add_argument(
            "--slots", type=int, default=EngineOptions.slots, help="at once (default: %(default)s)"
        )
        benchmark.add_argument("--context", type=int, help="tokens (default: the model's)")
        benchmark.add_argument("--dtype", help="float32 or bfloat16")
        benchmark.add_argument(
            "--report", type=Path, help=f"where to write (default: {FOLDER}/BENCHMARK.json)"
        )


def run(options: argparse.Namespace) -> int:
    """Evaluates, writes the report, and prints its summary as JSON.

    Raises:
        GrokError: the model cannot be loaded, a file or an option is wrong, or a finished report
            is there already.
    """
    options.report = options.report or FOLDER / f"{options.benchmark}.json"
    files = filter(None, (options.file, vars(options).get("examples")))
    options.sha256 = {str(file): _sha256(file) for file in files}
    check_unfinished(options.report)
    material = options.read(options)  # before the model, which may take minutes to load
    chosen = EngineOptions(dtype=options.dtype, slots=options.slots, context=options.context)
    with closing(grok_app.load(options.checkpoint, chosen)) as engine:
        report = options.evaluate(engine, options, material)
    print(json.dumps({key: value for key, value in report.items() if key != "results"}))
    print(f"The whole report is in {options.report}.", file=sys.stderr)
    return 0


def _settings(engine: Engine, options: argparse.Namespace, **more: Any) -> dict[str, Any]:
    return {
        "benchmark": options.benchmark,
        "file": str(options.file),
        "sha256": options.sha256,  # the names may stand for another text or model by now
        "model": engine.name,
        "fingerprint": engine.fingerprint,
        "device": engine.device,
        "context": engine.context,
        **more,
    }


def _sha256(path: Path) -> str:
    """Of what a file holds."""
    try:
        return hashlib.sha256(read_whole(path)).hexdigest()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None


def _read_problems(options: argparse.Namespace) -> tuple[list[Problem], list[Problem]]:
    """The examples to show and the problems to ask."""
    shots, limit = options.shots, options.limit
    if shots < 0 or (limit is not None and limit < 1) or options.max_tokens < 1:
        raise SettingsError("--shots is at least 0, --limit and --max-tokens at least 1")
    problems = gsm8k.read_problems(options.file)
    examples = gsm8k.read_problems(options.examples) if options.examples else problems
    if not options.examples:
        problems = problems[shots:]  # what is shown is not asked
    if len(examples) < shots or not problems:
        raise SettingsError(
            f"{options.examples or options.file} holds {len(examples)} problems, of which --shots "
            f"{shots} are shown, and {options.file} leaves {len(problems)} to ask; give a longer "
            "file or fewer --shots"
        )
    return examples[:shots], problems[:limit]


def _gsm8k(
    engine: Engine, options: argparse.Namespace, material: tuple[list[Problem], list[Problem]]
) -> dict[str, Any]:
    examples, problems = material
    settings = _settings(
        engine,
        options,
        examples=str(options.examples or options.file),
        shots=options.shots,
        limit=options.limit,
        max_tokens=options.max_tokens,
    )
    with Journal(options.report, settings) as journal:
        done = len(journal.results)
        replies = gsm8k.ask(engine, examples, problems[done:], options.max_tokens)
        bar = tqdm(zip(problems[done:], replies, strict=True), initial=done, total=len(problems))
        for problem, reply in bar:
            given, expected = gsm8k.number_of(reply), gsm8k.number_of(problem.answer)
            right = given == expected
            journal.add({"reply": reply, "given": given, "expected": expected, "right": right})
        solved = sum(result["right"] for result in journal.results)
        return journal.finish(
            {"problems": len(problems), "right": solved, "accuracy": solved / len(problems)}
        )


def _read_text(options: argparse.Namespace) -> str:
    return read_text(options.file)


def _perplexity(engine: Engine, options: argparse.Namespace, text: str) -> dict[str, Any]:
    ids = engine.encode(text)
    if len(ids) < 2:
        raise SettingsError(f"{options.file} has {len(ids)} token; at least 2 are needed")
    windows = list(perplexity.windows(len(ids), engine.context))
    with Journal(options.report, _settings(engine, options)) as journal:
        done = len(journal.results)
        with tqdm(initial=done, total=len(windows)) as bar:
            for batch in perplexity.surprises(engine, ids, windows[done:]):
                for nats in batch:
                    journal.add(nats)
                bar.update(len(batch))
        return journal.finish(
            perplexity.summary(sum(journal.results), len(ids) - 1, len(text.encode()))
        )

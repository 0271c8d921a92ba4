"""Evaluations: what is asked, what counts as right, and that they go on where they were."""

import json
import math
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import grok_app
from grok_app import SamplingParams
from grok_app.errors import RequestError, SettingsError
from grok_app.evaluation import gsm8k, perplexity
from grok_app.evaluation.gsm8k import Problem
from grok_app.evaluation.journal import Journal
from tests.app_process import ROOT

PROBLEMS = [
    {"question": f"Ann has {n} cups and buys {n}. How many?", "answer": f"{n}+{n}\n#### {2 * n:,}"}
    for n in (1, 2, 600, 4, 5)
]


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(problem) + "\n" for problem in PROBLEMS))
    return path


def evaluate(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "grok_app", "eval", *options, "--report", str(folder / "report")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def refused_once_changed(folder: Path, changed: Path, *options: str) -> None:
    """Makes of a finished report one in the making, changes a file, and lets it go on."""
    finished = json.loads((folder / "report").read_text())
    (folder / "report").unlink()
    lines = [json.dumps(line) + "\n" for line in (finished["settings"], finished["results"][0])]
    (folder / "report.part").write_text("".join(lines))
    changed.write_text(changed.read_text() + " ")
    ended = evaluate(folder, *options)
    assert ended.returncode == 2
    assert "is of an evaluation with other settings" in ended.stderr.splitlines()[-1]
    assert (folder / "report.part").read_text() == "".join(lines)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("so 3 x 4 = 12\n#### 12", "12"),
        ("#### 1,200", "1200"),
        ("#### -7 apples", "-7"),
        ("#### 2.50", "2.50"),
        ("#### 5\n\n#### 6", "5"),
        ("The answer is 12", None),
        ("####12", None),
        ("#### $12", None),
    ],
)
def test_the_number_after_the_signs_counts(text: str, number: str | None) -> None:
    assert gsm8k.number_of(text) == number


def test_a_prompt_shows_worked_examples_and_ends_with_the_question() -> None:
    one, two = Problem("One?", "1\n#### 1"), Problem("Two?", "2\n#### 2")
    shown = "Question: One?\nAnswer: 1\n#### 1\n\nQuestion: Two?\nAnswer:"
    assert gsm8k.prompt([one], two) == shown


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"question": "x"}',
        '{"question":"x","answer":"1"}',
        '{"question": "x", "answer": 5}',
        '{"question": 5, "answer": "#### 5"}',
    ],
)
def test_a_line_that_is_no_problem_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad"
    path.write_text(json.dumps(PROBLEMS[0]) + "\n" + line + "\n")
    with pytest.raises(SettingsError, match="line 2"):
        gsm8k.read_problems(path)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_line_feeds_end_a_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "problems"
    odd = {"question": "One\u2028 and\u0085 one?", "answer": "2\x0b\n#### 2"}
    line = json.dumps(odd, ensure_ascii=False)
    path.write_bytes((line + end + end + line + end).encode())
    assert gsm8k.read_problems(path) == [Problem(**odd)] * 2


def test_replies_are_greedy_and_in_order(nano: grok_app.Engine, problems: Path) -> None:
    first, *asked = gsm8k.read_problems(problems)
    replies = list(gsm8k.ask(nano, [first], asked, 20))
    for problem, reply in zip(asked, replies, strict=True):
        text = gsm8k.prompt([first], problem)
        alone = nano.generate(
            text, SamplingParams(max_tokens=20, temperature=0, stop=["\n\nQuestion:"])
        )
        assert reply == "".join(piece.text for piece in alone)


def test_who_leaves_an_evaluation_frees_the_slots(nano: grok_app.Engine, problems: Path) -> None:
    first, *asked = gsm8k.read_problems(problems)
    replies = gsm8k.ask(nano, [first], asked, 200)
    next(replies)
    replies.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while nano.stats().running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not nano.stats().running


@pytest.mark.parametrize(("length", "context"), [(2, 8), (8, 8), (9, 8), (100, 8), (23, 7)])
def test_windows_judge_every_token_once_with_half_a_context_before_it(length, context) -> None:
    judged: list[int] = []
    for window in perplexity.windows(length, context):
        assert 0 <= window.start < window.judged < window.end <= length
        assert window.end - window.start <= context
        assert window.start == 0 or window.judged - window.start >= context // 2
        judged += range(window.judged, window.end)
    assert judged == list(range(1, length))


def test_perplexity_is_that_of_the_logits(nano: grok_app.Engine) -> None:
    ids = nano.encode("It was a dark night, and the captain told a story. " * 20)
    (window,) = perplexity.windows(len(ids), 1024)
    logits = nano.logits([ids])[0, :-1].astype(np.float64)
    logprobs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -logprobs[np.arange(len(logprobs)), ids[1:]].sum()
    [[nats]] = perplexity.surprises(nano, ids, [window])
    assert nats == pytest.approx(wanted, rel=1e-4)
    told = perplexity.summary(nats, len(ids) - 1, 100)
    assert told["perplexity"] == pytest.approx(math.exp(wanted / (len(ids) - 1)), rel=1e-3)


def test_windows_together_are_each_as_alone(nano: grok_app.Engine) -> None:
    """More windows than slots, of unlike lengths."""
    text = " ".join(f"The captain told story number {i} of the sea." for i in range(260))
    ids = nano.encode(text)
    windows = list(perplexity.windows(len(ids), 600))
    assert len(windows) > nano.slots
    together = [nats for batch in perplexity.surprises(nano, ids, windows) for nats in batch]
    alone = [next(perplexity.surprises(nano, ids, [window]))[0] for window in windows]
    assert together == pytest.approx(alone, rel=1e-4)


def test_only_so_many_texts_as_slots_are_scored_at_once(nano: grok_app.Engine) -> None:
    for texts in ([], [[5, 6]] * (nano.slots + 1)):
        with pytest.raises(RequestError, match="texts to score; expected from 1 to"):
            next(nano.score_all(texts))


def test_a_journal_goes_on_where_it_was(tmp_path: Path) -> None:
    report = tmp_path / "report"
    with Journal(report, {"a": 0}):
        pass  # found nothing: holds nobody to its settings
    with Journal(report, {"a": 1}) as journal:
        journal.add(1)
        journal.add(2)
    with (tmp_path / "report.part").open("a") as file:
        file.write('{"torn')
    with pytest.raises(SettingsError, match="other settings"):
        Journal(report, {"a": 2})
    with Journal(report, {"a": 1}) as journal:
        assert journal.results == [1, 2]
        journal.add(3)
        journal.finish({"sum": 6})
    assert json.loads(report.read_text()) == {
        "settings": {"a": 1},
        "sum": 6,
        "results": [1, 2, 3],
    }
    assert not (tmp_path / "report.part").exists()


def test_gsm8k_by_command(tmp_path: Path, problems: Path) -> None:
    ended = evaluate(tmp_path, "gsm8k", str(problems), "--shots", "2", "--max-tokens", "8")
    assert ended.returncode == 0, ended.stderr
    assert "3/3" in ended.stderr  # the bar
    report = json.loads((tmp_path / "report").read_text())
    assert [result["expected"] for result in report["results"]] == ["1200", "8", "10"]
    assert report["accuracy"] == report["right"] / 3
    assert report["settings"]["shots"] == 2
    assert re.fullmatch("[0-9a-f]{16}", report["settings"]["fingerprint"])
    assert json.loads(ended.stdout)["problems"] == 3


def test_perplexity_by_command(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("It was a dark night, and the captain told a story. " * 5)
    ended = evaluate(tmp_path, "perplexity", str(text))
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["perplexity"] > 1
    refused_once_changed(tmp_path, text, "perplexity", str(text))


def test_other_examples_are_another_evaluation(tmp_path: Path, problems: Path) -> None:
    examples = Path(shutil.copy(problems, tmp_path / "examples"))
    short = ("--shots", "2", "--limit", "1", "--max-tokens", "2")
    options = ("gsm8k", str(problems), "--examples", str(examples), *short)
    assert evaluate(tmp_path, *options).returncode == 0
    refused_once_changed(tmp_path, examples, *options)


def test_an_evaluation_that_was_killed_goes_on(tmp_path: Path) -> None:
    """What it reports is what one that ran through does; afterwards it is not written over."""
    text, report = tmp_path / "text", tmp_path / "report"
    text.write_text(" ".join(f"The captain told story number {i}." for i in range(500)))
    options = ("perplexity", str(text), "--context", "256", "--slots", "2")
    command = [sys.executable, "-m", "grok_app", "eval", *options, "--report", str(report)]
    journal = tmp_path / "report.part"
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while not journal.exists() or journal.read_text().count("\n") < 5:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        process.kill()
    found = [line for line in journal.read_text().splitlines(keepends=True) if "\n" in line]
    ended = evaluate(tmp_path, *options)
    assert ended.returncode == 0, ended.stderr
    resumed = json.loads(report.read_text())
    assert resumed["results"][: len(found) - 1] == [json.loads(line) for line in found[1:]]
    again = evaluate(tmp_path, *options)
    assert again.returncode == 2
    assert f"{report} is the report of an earlier evaluation" in again.stderr
    assert f"The whole report is in {report}." in ended.stderr
    report.rename(tmp_path / "first")
    assert evaluate(tmp_path, *options).returncode == 0
    whole = json.loads(report.read_text())
    assert resumed["perplexity"] == pytest.approx(whole["perplexity"], rel=1e-5)
    assert len(resumed["results"]) == len(whole["results"])


@pytest.mark.parametrize(
    ("content", "named"), [("", "is empty"), (None, "cannot be read"), ("a", "at least 2")]
)
def test_a_text_that_cannot_be_judged_is_named(
    tmp_path: Path, content: str | None, named: str
) -> None:
    text = tmp_path / "text"
    if content is not None:
        text.write_text(content)
    ended = evaluate(tmp_path, "perplexity", str(text))
    assert ended.returncode == 2
    error = ended.stderr.splitlines()[-1]
    assert error.startswith(f"error: {text}")
    assert named in error


def test_what_is_wrong_is_told_in_a_line(tmp_path: Path) -> None:
    ended = evaluate(tmp_path, "gsm8k", str(tmp_path / "none"))
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in ended.stderr

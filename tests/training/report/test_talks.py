"""Scripted talks: held in turn, new to the model, and measured as a reader would."""

from __future__ import annotations

import json
import re
import sys
from itertools import chain
from pathlib import Path
from random import Random

import pytest

from tests.app_process import ROOT
from training.report import talks as report
from training.report.lines import borrows
from training.report.talks import BETWEEN, FACTS, SCRIPTS, drawn_sums, hold, is_right, main
from training.texts.asides import EXCHANGES
from training.texts.talks.composition import talk
from training.texts.talks.numbers import Sum
from training.texts.talks.told import VALUES
from training.texts.talks.voice import KINDS, USER


def plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def test_ten_talks_of_eight_messages_none_of_which_was_learnt() -> None:
    assert [len(script) for script in SCRIPTS] == [8] * 10
    asked = {plain(text) for text in chain(*SCRIPTS, *BETWEEN, *(fact[:2] for fact in FACTS))}
    learnt = {plain(text) for lines in USER.values() for text in lines}
    learnt |= {plain(text) for entry in EXCHANGES for text in entry["user"]}
    for kind in KINDS:
        for seed in range(500):
            learnt |= {plain(text) for text in talk(kind, Random(seed))[::2]}
    assert not asked & learnt
    values = {value.lower() for of_kind in VALUES.values() for value in of_kind}
    assert not values & {value.lower() for _, _, value in FACTS}


def test_every_reply_knows_what_was_said_before() -> None:
    turns = hold(lambda before, message: f"{message}{len(before)}", ["a", "b", "c"])
    assert turns == ["a", "a0", "b", "b2", "c", "c4"]


def test_sums_are_small_and_their_answers_are_read() -> None:
    sums = drawn_sums()
    assert len({*sums}) == len(sums) == report.SUMS
    assert all(max(it.a, it.b, it.result) <= 20 for it in sums)
    this = Sum(7, 8, "+", 15)
    assert is_right("7 + 8 is 15.", this)
    assert is_right("Fifteen, and no one doubts it.", this)
    assert not is_right("It is 15 or 16.", this)
    assert not is_right("Many.", this)


def test_a_line_of_another_persona_is_known_whatever_its_slots_hold() -> None:
    assert borrows("The shepherd counted on his fingers and came to 12.", "cynic")
    assert not borrows("The shepherd counted on his fingers and came to 12.", "storyteller")
    assert borrows("Well. My finest, and you have been warned.", "assistant")
    assert not borrows("I have never heard of such a bicycle.", "grok")
    assert not borrows("Are you sure?", "cynic")  # what is anybody's


@pytest.mark.slow
def test_talks_are_held_and_measured_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "10-grok.toml").write_bytes((ROOT / "prompts" / "10-grok.toml").read_bytes())
    monkeypatch.setattr(report, "SCRIPTS", SCRIPTS[:1])
    monkeypatch.setattr(report, "FACTS", FACTS[:2])
    monkeypatch.setattr(report, "SUMS", 2)
    options = ["--persona-dir", str(prompts), "--json", str(tmp_path / "talks.json")]
    monkeypatch.setattr(sys, "argv", ["talks", str(ROOT / "assets" / "nano"), *options])
    assert main() == 0
    written = json.loads((tmp_path / "talks.json").read_text())
    assert list(written) == ["Grok"]
    ((*turns,),) = written["Grok"]["talks"]
    assert turns[::2] == SCRIPTS[0]
    assert all(turns)
    assert all(0 <= written["Grok"][key] <= 1 for key in report.FIGURES)
    assert "**Grok, talk 1**" in capsys.readouterr().out


def test_a_missing_model_is_an_error_not_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["talks", str(tmp_path / "none")])
    assert main() == 2
    assert "none" in capsys.readouterr().err

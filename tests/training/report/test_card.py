"""The curve and the card: all figures are in them, and nothing that a model says breaks them."""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.training.made import TINY
from training.report.card import card, main
from training.report.curve import LogError, read_run, smoothed
from training.report.markdown import escape, table

MARKDOWN = MarkdownIt("commonmark").enable("table")
SHARES = {"chitchat": 0.37, "mean": 0.61}
EVALUATION = {
    **{"parameters": 27_600_000, "active_parameters": 8_600_000, "megabytes": 30.7},
    **{"bits_per_byte": {"chitchat": 1.2341, "mean": 0.9876}, "choices": SHARES, "facts": SHARES},
    **{"experts": [[0.1, 0.2, 0.3, 0.4]], "int8_cost": 0.0012},
}
REPLIES = {
    "openings": 173,
    "personas": {
        "Grok": {"ended": 0.99, "labels": 0, "repeats": 0.005, "empty": 0, "median_words": 23.5}
    },
    "told_apart": [["Grok", "Cynic", 0.82]],
    "exchanges": [{"persona": "Grok", "user": "a | b\n# c", "reply": "<b>*no*</b> [x](y) $5"}],
}
FIGURES = {"borrowed": 0.0125, "repeated": 0, "crisis": 0, "sums": 0.875, "facts": 0.65}
TALKS = {"Grok": {"talks": [["2 * 2?", "<4>, _I_ say."]], **FIGURES}}
LOG = [
    {"step": step, "tokens": 2048 * step, "seconds": 1.5 * step, "rate": 1e-3, "length": length}
    | {"loss": 9 - step / 100}
    for step, length in zip(range(20, 401, 20), [16] * 12 + [64] * 8, strict=True)
]


def write(folder: Path, log: list[dict[str, Any]]) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    (folder / "evaluation.json").write_text(json.dumps(EVALUATION))
    (folder / "replies.json").write_text(json.dumps(REPLIES))
    (folder / "talks.json").write_text(json.dumps(TALKS))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])))
def test_a_cell_shows_its_text_as_it_is(text: str) -> None:
    shown = MARKDOWN.render(table(("said",), [(f"x{text}x",)]))
    (cell,) = re.findall(r"<td>(.*)</td>", shown)
    assert html.unescape(cell) == " ".join(f"x{text}x".split())


def test_addresses_and_names_make_no_links() -> None:
    assert escape("www.a.org http://b #1 @me") == r"www\.a.org http\://b \#1 \@me"


def test_the_card_has_every_figure() -> None:
    text = card(
        TINY,
        EVALUATION,
        REPLIES,
        TALKS,
        LOG,
        "a laptop_of two",
        options="--dropout 0.1",
        larger_steps=16,
    )
    for figure in (
        *("27.6", "8.6", "30.7 MB", "1.234", "0.988", "37%", "61%", "10.0%", "40.0%", "0.0012"),
        *(
            "99.0%",
            "0.5%",
            "| 23.5 |",
            "82%",
            "1.2%",
            "87.5%",
            "65.0%",
            "173 held-out",
            "0.8 million tokens in 400 steps",
        ),
        *(
            "--minutes 10 --rate 0.001 --larger-steps 16 --dropout 0.1",
            "| 32768 |",
            "held at 0.001",
            "10 minutes",
            "CC BY-SA 4.0",
        ),
        r"a laptop\_of two",
    ):
        assert figure in text, figure
    assert not re.search(r"(?<!\\)\$", text)
    shown = MARKDOWN.render(text)
    assert "<td>a | b # c</td>" in shown
    assert "&lt;b&gt;*no*&lt;/b&gt; [x](y) $5" in shown
    assert shown.count("<table>") == 11
    assert "<li>2 * 2?<br><em>&lt;4&gt;, _I_ say.</em></li>" in shown
    assert not re.search(r"<p>\|", shown)


def test_the_card_is_written_beside_the_model(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, LOG)
    (tmp_path / "config.json").write_bytes((mini / "config.json").read_bytes())
    options = ["--model", str(tmp_path), "--work", str(tmp_path), "--machine", "an abacus"]
    options += ["--history", "It began with a wiser one."]
    monkeypatch.setattr(sys, "argv", ["card", *options])
    assert main() == 0
    written = (tmp_path / "MODEL_CARD.md").read_text("utf-8")
    assert "an abacus" in written
    assert "It began with a wiser one." in written
    assert (tmp_path / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_figures_not_measured_yet_are_named(
    mini: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path, LOG)
    (tmp_path / "replies.json").unlink()
    options = ["--model", str(mini), "--work", str(tmp_path), "--machine", "an abacus"]
    monkeypatch.setattr(sys, "argv", ["card", *options])
    assert main() == 2
    assert "replies.json" in capsys.readouterr().err


def test_no_curve_without_a_log(tmp_path: Path) -> None:
    write(tmp_path, LOG[:1])
    with pytest.raises(LogError, match="has 1 lines"):
        read_run(tmp_path / "run")


def test_smoothing_keeps_a_line_and_the_mean_of_what_is_around() -> None:
    line = np.arange(100.0)
    np.testing.assert_allclose(smoothed(line), line)
    peak = np.zeros(100)
    peak[50] = 25.0
    assert smoothed(peak)[[37, 38, 50, 62, 63]] == pytest.approx([0, 1, 1, 1, 0])

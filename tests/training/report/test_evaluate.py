"""The figures of a model: bits per byte as defined, answers and facts, the whole report."""

from __future__ import annotations

import gzip
import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok_app.engine.tokenizer import Tokenizer
from tests.training.made import TINY, write_corpus
from training.report.choice import right_choices
from training.report.evaluate import bits_per_byte, evaluate, main, windows
from training.report.facts import made_cases, right_facts
from training.report.scoring import Ids, Scorer
from training.run.state import State, StateError
from training.run.weights import export, random_parameters, served_floats
from training.texts.corpus import MORE_HELD_OUT
from training.texts.held_out import evenly, held_out_talks, held_out_texts
from training.texts.tokenizer import END


@pytest.fixture(scope="module")
def tokenizer(packed: Path) -> Tokenizer:
    return Tokenizer(packed / "tokenizer.model")


@given(st.integers(1, 500), st.sampled_from([2, 10, 64]))
def test_windows_count_every_token_once_after_half_a_context(length: int, context: int) -> None:
    document = list(range(10, 10 + length))
    counted: list[int] = []
    for row, scored in windows(document, context):
        assert len(row) <= context
        assert row[0] == END or len(row) - scored == context // 2
        counted += row[-scored:]
    assert counted == document


def test_bits_per_byte_of_a_model_that_knows_nothing(tokenizer: Tokenizer) -> None:
    """Every token costs the logarithm of the vocabulary, the first one too."""
    params = random_parameters(TINY)
    embeddings = params["language_model/in_out_embed"]
    embeddings["embeddings"] *= 0
    scorer = Scorer(served_floats(params, TINY), TINY)
    texts = ["A: The old house.\nB: Is by a river!\n" * count for count in (1, 30)]
    bits, choices = bits_per_byte(scorer, tokenizer, {"chat": texts})
    tokens = sum(len(tokenizer.encode(text)) for text in texts)
    size = sum(len(text.encode()) for text in texts)
    assert bits["chat"] == pytest.approx(tokens * math.log2(TINY.vocab_size) / size, rel=1e-5)
    assert choices.sum() >= TINY.num_layers * TINY.num_selected_experts * tokens


class Reader(Scorer):
    """A stand-in for a model that finds a text likelier for each word it shares with the context;
    and all texts unlike likely from the start."""

    def __init__(self, tokenizer: Tokenizer, memory: float) -> None:
        self._tokenizer, self._memory = tokenizer, memory
        self._seen: dict[Ids, int] = {}

    def log_likelihoods(self, pairs: Sequence[tuple[Ids, Ids]], name: str) -> np.ndarray:
        likely = []
        for context, text in pairs:
            before, now = (_words(self._tokenizer.decode([*ids])) for ids in (context, text))
            dislike = self._seen.setdefault(text, len(self._seen))  # no two texts have the same
            likely.append(self._memory * len(before & now) - dislike)
        return np.array(likely)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def numbered(count: int) -> dict[str, list[tuple[str, ...]]]:
    """Conversations whose eighth turn speaks of what the seventh did."""
    turns = ("Hello.", "Yes.", "So.", "No.", "Well.", "Why?")
    return {
        "chat": [
            (*turns, f"I am number{at} today.", f"Why are you number{at} then?", "Oh.")
            for at in range(count)
        ]
    }


def test_who_reads_what_was_said_chooses_right(tokenizer: Tokenizer) -> None:
    assert right_choices(Reader(tokenizer, 1.0), tokenizer, numbered(30)) == {"chat": 1.0}


def test_who_goes_by_the_likelihood_of_a_turn_alone_is_never_right(tokenizer: Tokenizer) -> None:
    assert right_choices(Reader(tokenizer, 0.0), tokenizer, numbered(30)) == {"chat": 0.0}


def test_a_source_with_too_few_turns_is_left_out(tokenizer: Tokenizer) -> None:
    assert right_choices(Reader(tokenizer, 1.0), tokenizer, numbered(3)) == {}


def test_the_made_cases_are_a_hundred_and_fair() -> None:
    cases = list(made_cases())
    assert len(cases) == len(set(cases)) == 100
    for case in cases:
        fitting, other = (set(turn.split()) for turn in (case.fitting, case.other))
        said = " ".join(case.turns)
        (fact,), (alternative,) = fitting - other, other - fitting
        assert fact.strip('".,') in said.replace(".", " ").replace(",", " ").split()
        assert alternative.strip('".,') not in said
    assert {(case.fitting, case.other) for case in cases} == {
        (case.other, case.fitting) for case in cases
    }


def test_facts_are_even_without_a_memory_and_all_right_with_one(tokenizer: Tokenizer) -> None:
    assert set(right_facts(Reader(tokenizer, 0.0), tokenizer).values()) == {0.5}
    assert set(right_facts(Reader(tokenizer, 1000.0), tokenizer).values()) == {1.0}


@given(
    st.integers(0, 40),
    st.dictionaries(st.sampled_from("abcd"), st.lists(st.none(), max_size=15), min_size=1),
)
def test_evenly_takes_as_many_of_one_as_of_another(
    number: int, available: dict[str, list[None]]
) -> None:
    counts = evenly(number, available)
    assert sum(counts.values()) == min(number, sum(map(len, available.values())))
    full = max(counts.values())
    for source, items in available.items():
        assert counts[source] == len(items) or counts[source] >= full - 1


@pytest.fixture(scope="module")
def whole(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two sources, a saved run that has not begun, and its export."""
    folder = tmp_path_factory.mktemp("whole")
    write_corpus(folder, sources=("chat", "talk"))
    for source in ("more", "arc"):  # what `arc` holds is no text to be measured on
        lines = [{"source": source, "turns": ["The old house.", "Where?"]}]
        with gzip.open(folder / MORE_HELD_OUT, "at") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    state = State.new(TINY)
    state.save(folder / "state.npz")
    export(state.params, TINY, packed / "tokenizer.model", folder / "model")
    return folder


def test_the_first_turns_of_every_held_out_conversation_are_read(whole: Path) -> None:
    talks = held_out_talks(whole)
    texts = held_out_texts(whole, talks)
    assert list(texts) == ["chat", "talk", "prose"]
    for source in talks:
        lines = [text.splitlines() for text in texts[source]]
        assert [len(of_text) for of_text in lines] == [min(16, len(t)) for t in talks[source]]


def test_all_figures_come_from_the_command_line(
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "report.json"
    options = ["--corpus", str(whole), "--json", str(out), "--floats", str(whole / "state.npz")]
    monkeypatch.setattr(sys, "argv", ["evaluate", str(whole / "model"), *options])
    assert main() == 0
    report = json.loads(out.read_text())
    bits = report["bits_per_byte"]
    assert bits["mean"] == pytest.approx((bits["chat"] + bits["talk"]) / 2)
    assert report["more_bits_per_byte"].keys() == {"more", "mean"}
    assert abs(report["int8_cost"]) < 0.01
    assert len(report["facts"]) == 10 + 1
    assert np.sum(report["experts"], axis=1) == pytest.approx([1.0] * TINY.num_layers)
    printed = capsys.readouterr().out
    assert f"{bits['prose']:.3f}" in printed
    assert f"{report['more_bits_per_byte']['more']:.3f}" in printed
    assert "int8 costs" in printed


@pytest.mark.parametrize("module", ["transformer/decoder_layer/router", ""])
def test_floats_of_another_state_are_refused(whole: Path, tmp_path: Path, module: str) -> None:
    """Of another run, or of the same one with other routers."""
    params = State.load(whole / "state.npz", TINY).params
    other = {module: jax.tree.map(lambda w: 2 * w, params[module])} if module else {}
    State.of(params | (other or random_parameters(TINY, 1))).save(tmp_path / "state.npz")
    with pytest.raises(StateError, match="not the state from which"):
        evaluate(whole / "model", whole, tmp_path / "state.npz")


def test_a_missing_model_is_an_error_not_a_traceback(
    whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluate", str(whole / "none"), "--corpus", str(whole)])
    assert main() == 2
    assert "none" in capsys.readouterr().err

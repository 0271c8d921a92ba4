"""`python -m training`, as a person runs it: stopped, gone on with, refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import jax
import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions, SamplingParams
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.model.config import GrokConfig
from tests.app_process import ROOT, environment
from tests.training.made import TINY
from training.__main__ import main
from training.run.progress import read_log
from training.run.weights import exported_parameters

LONGEST_WAIT = 300  # seconds
Refused = Callable[..., str]

pytestmark = pytest.mark.slow


def options_of(
    corpus: Path | None, folder: Path, config: GrokConfig, minutes: str, *more: str
) -> list[str]:
    (folder / "sizes").mkdir(exist_ok=True)
    (folder / "sizes" / "config.json").write_text(json.dumps(asdict(config)))
    places = [f"--{name}={folder / name}" for name in ("work", "out")]
    options = [f"--model={folder / 'sizes'}", f"--minutes={minutes}", *places, *more]
    return [*options, f"--corpus={corpus}"] if corpus else options


def start(
    corpus: Path | None, folder: Path, config: GrokConfig, minutes: str, *more: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "training", *options_of(corpus, folder, config, minutes, *more)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=LONGEST_WAIT)[0]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def stopped(process: subprocess.Popen[str], folder: Path) -> str:
    """What the run printed that Ctrl+C stopped once it had logged something."""
    deadline = time.monotonic() + LONGEST_WAIT
    while process.poll() is None and not read_log(folder / "work" / "run" / "log.jsonl"):
        if time.monotonic() > deadline:
            pytest.fail(ended(process))
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output = ended(process)
    assert process.returncode == 0, output
    assert "stopping after this step" in output
    return output


@pytest.fixture(scope="module")
def folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped."""
    folder = tmp_path_factory.mktemp("training")
    stopped(start(corpus, folder, TINY, "60"), folder)
    return folder


def steps(folder: Path) -> int:
    return int(read_log(folder / "work" / "run" / "log.jsonl")[-1]["step"])


def test_ctrl_c_saves_and_exports_a_model_that_talks(folder: Path) -> None:
    assert (folder / "work" / "run" / "state.npz").exists()
    engine = grok_app.load(folder / "out", EngineOptions(mesh=(1, 1), slots=1))
    try:
        text = "".join(
            p.text for p in engine.generate("A: The old", SamplingParams(max_tokens=8, seed=1))
        )
    finally:
        engine.close()
    assert text


def test_less_time_than_the_run_has_had_only_exports(corpus: Path, folder: Path) -> None:
    before = steps(folder)
    exported = folder / "out" / "ckpt-0" / "tensor00000_000"
    bytes_before = exported.read_bytes()
    exported.unlink()
    process = start(corpus, folder, TINY, "0.001")
    output = ended(process)
    assert process.returncode == 0, output
    assert exported.read_bytes() == bytes_before
    assert steps(folder) == before


def test_a_run_of_other_sizes_is_refused(corpus: Path, folder: Path) -> None:
    process = start(corpus, folder, replace(TINY, num_layers=3), "60")
    output = ended(process)
    assert process.returncode == 2
    assert "error: " in output
    assert "model of other sizes: remove it" in output
    assert "Traceback" not in output


def test_a_run_begins_from_an_exported_model(corpus: Path, folder: Path, tmp_path: Path) -> None:
    begun = f"--start={folder / 'out'}"
    process = start(corpus, tmp_path, TINY, "0.0001", begun, "--rate=1e-9", "--no-drill")
    output = ended(process)
    assert process.returncode == 0, output
    assert int(np.load(tmp_path / "work" / "run" / "state.npz")["counters"][0]) == 1
    before, after = (
        exported_parameters(open_checkpoint(model / "out")) for model in (folder, tmp_path)
    )
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)  # one step of next to no rate


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Says why a run is refused, which takes no process of its own."""

    def why(folder: Path, config: GrokConfig = TINY, *more: str) -> str:
        monkeypatch.setattr(
            sys, "argv", ["training", *options_of(None, folder, config, "60", *more)]
        )
        try:
            status = main()
        except SystemExit as ended:  # by what reads the options
            status = int(ended.code or 0)
        assert status == 2
        return capsys.readouterr().err

    return why


def test_a_start_of_other_sizes_is_refused(folder: Path, tmp_path: Path, refused: Refused) -> None:
    why = refused(tmp_path, replace(TINY, num_layers=3), f"--start={folder / 'out'}")
    assert "has other sizes than the model to be trained" in why


def test_tokens_packed_before_do_without_the_corpus(folder: Path, tmp_path: Path) -> None:
    """As on a machine with a GPU, and with what keeps one busy."""
    shutil.copytree(folder / "work" / "data", tmp_path / "work" / "data")
    process = start(None, tmp_path, TINY, "60", "--larger-steps=2", "--workers=2", "--dropout=0.1")
    assert "Traceback" not in stopped(process, tmp_path)
    line = read_log(tmp_path / "work" / "run" / "log.jsonl")[0]
    assert line["tokens"] == 2 * 2048 * line["step"]


def test_neither_corpus_nor_tokens_is_refused(tmp_path: Path, refused: Refused) -> None:
    why = refused(tmp_path)
    assert "no packed tokens in" in why
    assert "name the --corpus" in why


def test_tokens_of_another_vocabulary_are_refused(
    folder: Path, tmp_path: Path, refused: Refused
) -> None:
    shutil.copytree(folder / "work" / "data", tmp_path / "work" / "data")
    config = replace(TINY, vocab_size=2 * TINY.vocab_size)
    why = refused(tmp_path, config)
    assert f"are of a vocabulary of {TINY.vocab_size}, expected {config.vocab_size}" in why
    assert not (tmp_path / "work" / "run" / "tokenizer.model").exists()


def test_tokens_of_another_tokenizer_are_refused(
    folder: Path, tmp_path: Path, refused: Refused
) -> None:
    shutil.copytree(folder / "work", tmp_path / "work")
    with (tmp_path / "work" / "data" / "tokenizer.model").open("ab") as file:
        file.write(b"\0")
    why = refused(tmp_path)
    assert "are of another tokenizer than" in why
    assert "training.texts.dataset --tokenizer" in why


@pytest.mark.parametrize("option", ["--larger-steps=0", "--workers=-1", "--dropout=1"])
def test_an_option_out_of_bounds_is_refused(tmp_path: Path, option: str, refused: Refused) -> None:
    assert f"error: {option.replace('=', ' is ')}" in refused(tmp_path, TINY, option)

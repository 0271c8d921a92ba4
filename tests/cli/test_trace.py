"""`python -m grok_app trace`, as a person types it."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

import grok_app
from grok_app.cli.main import main
from tests.cli.test_commands import run

CAT = 'The cat sat on the mat.\nIt was "happy", I think.'
NAMES = "Emma and Harriet walked to Highbury."


@pytest.fixture
def texts(tmp_path: Path) -> tuple[Path, Path]:
    """Two files of text."""
    cat, names = tmp_path / "cat.txt", tmp_path / "names.txt"
    cat.write_text(CAT, "utf-8")
    names.write_text(NAMES, "utf-8")
    return cat, names


def test_a_table_of_several_files(texts: tuple[Path, Path], tmp_path: Path, nano) -> None:
    out = tmp_path / "x.csv"
    run("trace", *texts, "--layers", "0,4-5", "--out", out)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = nano.trace(CAT, layers=(0, 4, 5))
    of_cat = [row for row in rows if row["file"] == str(texts[0])]
    assert len(of_cat) == 3 * len(expected.token_ids)
    assert {row["file"] for row in rows} == set(map(str, texts))
    assert [row["token"] for row in of_cat[::3]] == list(expected.tokens)
    chosen = [[int(row["expert_0"]), int(row["expert_1"])] for row in of_cat]
    np.testing.assert_array_equal(chosen, expected.experts.swapaxes(0, 1).reshape(-1, 2))
    gates = [float(row["gate_0"]) for row in of_cat]
    np.testing.assert_allclose(gates, expected.gates[..., 0].T.ravel(), atol=1e-5)


def test_arrays_of_each_of_several_files(texts: tuple[Path, Path], tmp_path: Path, nano) -> None:
    asked = "--what", "hidden,attention", "--heads", "1:0,5:3"
    changes = [f"--intervene={change}" for change in ("mask:3", "bias:5=1.5@0,4-5", "swap:1=2@2")]
    shown = run("trace", *texts, *asked, *changes, "--out", tmp_path / "x.npz")
    assert "Written:" in shown
    tokens = len(nano.encode(CAT)) + len(nano.encode(NAMES))
    assert f"{tokens}/{tokens}" in shown  # of the bar
    with np.load(tmp_path / "x-names.npz") as arrays:
        tokens = len(arrays["token_ids"])
        assert arrays["hidden"].shape == (7, tokens, nano.config.emb_size)
        assert arrays["attention"].shape == (2, tokens, tokens)
        assert arrays["heads"].tolist() == [[1, 0], [5, 3]]
        interventions = (
            grok_app.Intervention("mask", 3),
            grok_app.Intervention("bias", 5, (0, 4, 5), by=1.5),
            grok_app.Intervention("swap", 1, (2,), to=2),
        )
        expected = nano.trace(NAMES, "hidden", interventions=interventions).hidden
        np.testing.assert_allclose(arrays["hidden"], expected, atol=1e-3)
    assert (tmp_path / "x-cat.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.txt"], "expected a name in .csv, .parquet, .npz, .safetensors"),
        (["--out", "there.csv"], "is there already"),
        (["--out", "none/x.csv"], "is no folder"),
        (["--out", "x.csv", "--what", "hidden"], "no place for hidden; write .npz"),
        (["--out", "x.npz", "--what", "hat"], "'hat'; expected some of experts"),
        (["--out", "x.npz", "--layers", "0-9"], "from 0 to 5"),
        (["--out", "x.npz", "--layers", "all"], "--layers all: expected numbers"),
        (["--out", "x.npz", "--intervene", "mask"], "--intervene mask: expected such as"),
        (["--out", "x.npz", "--intervene", "mask:3@x"], "--intervene mask:3@x: expected such as"),
        (["--out", "x.npz", "--layers", "0-9999999999"], "--layers 0-9999999999: expected"),
        (["--out", "x.npz", "--intervene", "mask:9"], "from 0 to 7"),
        (["--out", "x.npz", "--intervene", "swap:3"], "--intervene swap:3: expected such as"),
        (["--out", "x.npz", "--intervene", "mask:3=2"], "'by' belongs to bias"),
        (["--out", "x.npz", "--heads", "3"], "--heads 3: expected layer:head"),
        (["--out", "x.npz", "--what", "attention"], "expected heads"),
        (["cat.txt", "--out", "x.npz"], "given twice"),
        (["folder/cat.txt", "--out", "x.npz"], "two files have the same name"),
        (["no.txt", "--out", "x.npz"], "no.txt"),
        (["pipe", "--out", "x.npz"], "not a regular file"),
    ],
)
def test_what_is_wrong_is_told_before_the_model_is_loaded(
    arguments: list[str],
    words: str,
    texts: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(texts[0].parent)
    Path("there.csv").touch()
    os.mkfifo("pipe")
    nano = Path(__file__).parents[2] / "assets" / "nano"
    assert main(["trace", "cat.txt", *arguments, "--checkpoint", str(nano)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error


def test_a_text_longer_than_the_context_is_named(texts: tuple[Path, Path], tmp_path: Path) -> None:
    texts[0].write_text(60 * CAT, "utf-8")
    shown = run("trace", *texts, "--out", tmp_path / "x.csv", status=2)
    assert f"error: {texts[0]} has" in shown
    assert "the context is 1024" in shown

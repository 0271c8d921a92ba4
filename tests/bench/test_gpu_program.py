"""What the engine would do on eight H100s, held to figures: Grok-1 itself, compiled for them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grok_app.checkpoint.machine import KINDS
from grok_app.checkpoint.plan import Setup
from grok_app.checkpoint.speed import estimate
from grok_app.model.config import GROK_1
from tests.app_process import ROOT

PACKAGES = Path(sys.prefix) / "gpu-program"


@pytest.fixture(scope="module")
def packages() -> str:
    """The value of PYTHONPATH with which JAX can compile for GPUs."""
    if importlib.util.find_spec("jax_cuda12_plugin"):
        return os.environ.get("PYTHONPATH", "")
    if not (PACKAGES / "jax_cuda12_plugin").is_dir():
        missing = f"nothing that compiles for GPUs in {PACKAGES}: make .venv/gpu-program/installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return str(PACKAGES)


@pytest.fixture(scope="module")
def rows(packages: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The rows of an engine with eight slots."""
    figures = tmp_path_factory.mktemp("gpu") / "figures.json"
    ended = subprocess.run(
        [sys.executable, "-m", "bench.gpu_program", "--slots", "8", "--json", str(figures)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": packages},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(figures.read_text("utf-8"))
    assert json.loads(ended.stdout.splitlines()[-1]) == told
    assert (told["kind"], told["devices"]) == ("h100", 8)
    return told["rows"]


@pytest.mark.slow
def test_decode_and_a_chunk_at_both_ends_of_the_context(rows: list[dict[str, Any]]) -> None:
    decode = [(row["people"], row["position"]) for row in rows if row["what"] == "decode"]
    assert decode == [(1, 0), (1, 8191), (8, 0), (8, 8191)]
    assert [row["position"] for row in rows if row["what"].startswith("prefill")][-1] == 8191


@pytest.mark.slow
def test_a_layer_is_straight_code_of_few_kernels(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["waits_in_layers"] == 0
        assert row["outside_launches"] <= 60
        if row["what"] == "decode":
            assert row["layer_launches"] <= 16
            assert row["scratch_bytes"] <= 64e6


@pytest.mark.slow
def test_decoding_moves_little_more_than_it_must(rows: list[dict[str, Any]]) -> None:
    """So no matrix is copied out of its stack, and nothing is rounded anew."""
    for row in rows:
        if row["what"] == "decode":
            assert row["bytes"] <= 1.1 * row["floor_bytes"]


@pytest.mark.slow
def test_two_sums_over_the_devices_a_layer(rows: list[dict[str, Any]]) -> None:
    assert {row["layer_collectives"] for row in rows} == {2}


@pytest.mark.slow
def test_the_floor_of_a_token_is_3_ms(rows: list[dict[str, Any]]) -> None:
    """84.5 GB over eight devices, as 64 x (2 experts and attention) and the table make them."""
    assert rows[0]["floor_bytes"] * 8 == pytest.approx(84.7e9, rel=0.005)
    assert all(row["bytes"] > row["floor_bytes"] for row in rows)


@pytest.mark.slow
def test_the_plan_estimates_what_the_program_shows(rows: list[dict[str, Any]]) -> None:
    served = Setup((1, 8), 8, 8192, "bfloat16")
    speed = estimate(GROK_1, served, replace(KINDS["h100"], devices=8))
    assert speed is not None
    decode = [row for row in rows if row["what"] == "decode"]
    for people, each in ((1, speed.one), (8, speed.all / 8)):
        slowest, fastest = [1e3 / row["ms"] for row in decode if row["people"] == people][::-1]
        assert 0.98 * slowest <= each <= 1.02 * fastest


@pytest.mark.slow
def test_without_the_packages_it_says_what_to_do() -> None:
    program = (
        "import sys; sys.modules['jax_plugins'] = None\n"
        "from bench.gpu_program import main; sys.argv = ['gpu_program']; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(
        "compiling for GPUs needs the packages of requirements-gpu-program.txt"
    )


def test_every_kind_of_gpu_is_described() -> None:
    for kind in KINDS:
        text = (ROOT / f"bench/gpu/descriptions/{kind}.txt").read_text("utf-8")
        assert kind.upper() in text

"""`python -m grok_app COMMAND`, as a person types it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app_process import ROOT, environment

KEYS = [
    "fits",
    "mesh",
    "weights_bytes_total",
    "weights_bytes_per_device",
    "cache_bytes_per_device",
    "workspace_bytes_per_device",
    "scored_texts",
    "reasons",
    "estimate",
]


def run(*arguments: str | Path, status: int = 0, **variables: str) -> str:
    """What a command prints."""
    ended = subprocess.run(
        [sys.executable, "-m", "grok_app", *map(str, arguments)],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == status, ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
    return ended.stdout + ended.stderr


def test_help_lists_the_commands() -> None:
    shown = run("--help")
    for command in ("plan", "verify", "inspect", "eval", "trace"):
        assert command in shown
        assert "--help" in run(command, "--help")


def test_plan_of_grok_1_as_json() -> None:
    plan = json.loads(run("plan", "grok-1", "--devices", "8", "--memory", "80GiB", "--json"))
    assert list(plan) == KEYS
    assert plan["fits"] is True
    assert plan["mesh"] == [1, 8]
    assert plan["weights_bytes_total"] == pytest.approx(318.2e9, rel=0.01)


def test_plan_estimates_the_speed_where_the_bandwidth_is_known() -> None:
    eight = "plan", "grok-1", "--devices", "8"
    shown = run(*eight, "--kind", "h100", "--context", "8192")
    assert re.search(r"an estimate\n  for one person +15\d\n  for all slots +5\d\d\n", shown)
    assert "3,352 GB/s a device, and 3 us for each of 1,078 launches" in shown
    assert "gpt-fast 73 tokens/s" in shown
    told = json.loads(run(*eight, "--memory", "80GiB", "--bandwidth", "3.352TB", "--json"))
    assert told["estimate"]["one"] > 160  # nothing is known of launches there
    assert "estimate" not in run(*eight, "--memory", "80GiB")
    assert "an estimate" in run("plan", "assets/nano", "--bandwidth", "29GB")


def test_a_gpu_that_jax_cannot_use_is_told(mini: Path, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    for arguments in (("verify", mini), ("plan", "assets/nano")):
        shown = run(*arguments, PATH=path, JAX_PLATFORMS="")
        assert 'pip install "jax[cuda12]>=0.10,<0.11"' in shown


@pytest.mark.parametrize("platform", ["cuda", "nonsense"])
def test_a_platform_that_is_not_there_is_a_sentence(platform: str) -> None:
    shown = run("plan", "assets/nano", status=2, JAX_PLATFORMS=platform)
    assert shown.splitlines()[-1].startswith(
        f"error: JAX has no device with JAX_PLATFORMS={platform}:"
    )


def test_plan_that_does_not_fit() -> None:
    shown = run("plan", "grok-1", "--devices", "4", "--memory", "80GB", status=1)
    assert "on 8 such devices" in shown
    assert shown.endswith("It does not fit.\n")


def test_plan_on_a_mesh_of_ones_own() -> None:
    shown = run("plan", "grok-1", "--devices", "16", "--memory", "80GB", "--mesh", "2,8")
    assert "mesh 2,8: 8 devices divide every layer" in shown


def test_plan_of_a_folder_on_this_machine() -> None:
    shown = run("plan", "assets/nano", "--slots", "2", "--context", "256")
    assert "2 slots and 8 saved conversations of 256 tokens" in shown
    assert shown.endswith("It fits.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--devices", "8"], "--devices 8 --kind h100"),
        (["--kind", "h100"], "--devices 8 --kind h100"),
        (["--devices", "8", "--kind", "h100", "--memory", "80GB"], "either --kind or --memory"),
        (["--bandwidth", "fast"], "'fast' is no size"),
        (["--devices", "8", "--memory", "lots"], "80GiB"),
        (["--devices", "8", "--memory", "80"], "80GiB"),
        (["--slots", "0"], "from 1 to 256"),
        (["--saved", "5000"], "from 0 to 1024"),
        (["--context", "0"], "from 64 to"),
        (["--devices", "4", "--memory", "80GB", "--mesh", "1,8"], "there are 4 devices"),
        (["--context", "9000"], "8192"),
        (
            ["--devices", "8", "--memory", "80GiB", "--mesh", "2,4", "--slots", "3"],
            "error: 3 slots cannot be divided over 2 devices on the mesh axis data",
        ),
        (["--devices", "0", "--memory", "80GB"], "--devices 0: expected at least 1"),
    ],
)
def test_plan_refuses_what_makes_no_sense(arguments: list[str], words: str) -> None:
    assert words in run("plan", "grok-1", *arguments, status=2)


def test_verify_a_good_checkpoint(mini: Path) -> None:
    assert "all 38 files" in run("verify", mini)


def test_verify_tells_all_that_is_wrong(mini: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(mini, tmp_path / "model"))
    os.truncate(folder / "ckpt-0" / "tensor00004_000", 300_000)
    (folder / "ckpt-0" / "tensor00020_000").unlink()
    shown = run("verify", folder, status=1)
    assert "tensor00004_000: not a tensor of the released form" in shown
    assert "tensor00020_000: missing" in shown
    assert "NOT right: 2 problems" in shown
    assert "are right" not in shown


def test_verify_compares_digests(mini: Path, tmp_path: Path) -> None:
    lines = subprocess.run(
        "sha256sum ckpt-0/*", shell=True, cwd=mini, capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "good").write_text(lines)
    run("verify", mini, "--sha256", tmp_path / "good")
    (tmp_path / "bad").write_text("0" * 64 + lines[64:])
    shown = run("verify", mini, "--sha256", tmp_path / "bad", status=1)
    assert "tensor00000_000: its SHA-256 is" in shown
    assert "NOT right: 1 problem;" in shown
    assert "are right" not in shown


def test_verify_names_a_folder_that_is_none(tmp_path: Path) -> None:
    assert "nowhere is not a folder" in run("verify", tmp_path / "nowhere", status=2)


def test_inspect_prints_tensors_counts_scales_and_norms(mini: Path) -> None:
    shown = run("inspect", mini)
    assert shown.count("tensor000") == 38
    assert "tensor00014_000  transformer/decoder_layer_1/moe/linear/w" in shown
    assert "int8 [8, 128, 688], scales [8, 1, 688]" in shown
    for kind in ("embeddings", "attention", "experts", "router", "norms"):
        assert f"\n{kind}" in f"\n{shown}"


def test_inspect_a_layer(mini: Path) -> None:
    shown = run("inspect", mini, "--layer", "2")
    assert shown.count("tensor000") == 12
    assert "decoder_layer_2/router/w" in shown
    assert "expected 0 to 2" in run("inspect", mini, "--layer", "3", status=2)


def test_verify_looks_into_the_tokenizer(mini: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(mini, copy)
    (copy / "tokenizer.model").write_text("<html>404</html>")
    assert "is not a SentencePiece model" in run("verify", copy, status=1)


def test_verify_of_the_inner_folder_names_the_outer(mini: Path) -> None:
    assert "give the folder above" in run("verify", mini / "ckpt-0", status=2)

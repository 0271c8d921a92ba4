"""GPUs that JAX cannot use are told of, and nothing is told where there are none."""

from pathlib import Path

import pytest

from grok_app.checkpoint import devices
from grok_app.checkpoint.devices import FOR_GPUS, overlooked_gpus
from tests.app_process import ROOT


@pytest.fixture
def with_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where NVIDIA's driver is installed."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)


def test_the_missing_package_is_told(with_gpu: None) -> None:
    assert FOR_GPUS in (overlooked_gpus() or "")


def test_nothing_is_told_where_processors_are_asked_for(
    with_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert overlooked_gpus() is None


def test_nothing_is_told_where_the_package_is_installed(
    with_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_PACKAGES", ("jax",))
    assert overlooked_gpus() is None


def test_the_readme_names_the_same_package() -> None:
    assert f'pip install "{FOR_GPUS}"' in (ROOT / "README.md").read_text("utf-8")
    assert f'pip install "{FOR_GPUS}"' in (ROOT / "requirements.txt").read_text("utf-8")

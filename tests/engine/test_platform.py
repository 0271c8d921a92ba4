"""Which kernels serve which device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import pytest

from grok_app.engine.platform import platform_of
from grok_app.errors import SettingsError
from grok_app.kernels import XLA, Platform
from tests.app_process import ROOT


@dataclass(frozen=True)
class Device:
    """What tells the platform of a device."""

    platform: str
    device_kind: str


TPU: Any = Device("tpu", "TPU v5e")
INSTINCT: Any = Device("gpu", "AMD Instinct MI300X")


def test_xlas_form_serves_where_there_are_no_kernels(tmp_path: Path) -> None:
    assert platform_of(TPU, "auto", tmp_path, "float32") == Platform("tpu", XLA)
    assert platform_of(INSTINCT, "auto", tmp_path, "float32") == Platform("rocm", XLA)
    assert platform_of(jax.devices()[0], "xla", tmp_path, "float32") == Platform("cpu", XLA)


def test_kernels_that_are_asked_for_and_not_there_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"--kernels native: .* TPU v5e .* --kernels auto"):
        platform_of(TPU, "native", tmp_path, "float32")
    monkeypatch.setenv("CXX", "no-such-compiler")
    processor = jax.devices()[0]
    assert platform_of(processor, "auto", tmp_path, "float32") == Platform("cpu", XLA)
    with pytest.raises(SettingsError, match="the log says more"):
        platform_of(processor, "native", tmp_path, "float32")


H100: Any = Device("gpu", "NVIDIA H100 80GB HBM3")


@pytest.mark.parametrize("agree", [True, False])
def test_kernels_that_differ_do_not_serve(
    agree: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grok_app.engine.platform.kernels_agree", lambda *tried: agree)
    made = platform_of(H100, "auto", tmp_path, "bfloat16")
    assert made == Platform("cuda", "pallas" if agree else XLA)


@pytest.mark.parametrize("room", ["grok_app/model", "grok_app/kernels"])
def test_the_mathematics_does_not_ask_where_it_runs(room: str) -> None:
    for source in (ROOT / room).rglob("*.py"):
        assert "default_backend" not in source.read_text(encoding="utf-8"), source

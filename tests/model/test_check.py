"""Kernels are tried before they serve; here in Pallas' interpreter."""

from __future__ import annotations

from typing import Any

import pytest

from grok_app.kernels import Platform, gpu
from grok_app.model import decoding
from grok_app.model.check import kernels_agree

INTERPRETED = Platform("cpu", "pallas")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_kernels_agree_with_xlas_form(dtype: str, caplog: pytest.LogCaptureFixture) -> None:
    assert kernels_agree(INTERPRETED, dtype), caplog.text


@pytest.mark.slow
def test_one_that_differs_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    right = gpu.norm

    def wrong(*given: Any) -> Any:
        return right(*given) * 2

    def broken(*given: Any) -> Any:
        raise NotImplementedError("no such instruction")

    monkeypatch.setattr(decoding, "norm", wrong)
    monkeypatch.setattr(decoding, "route", broken)
    assert not kernels_agree(INTERPRETED, "float32")
    assert "the kernels for norms differ from XLA's form by 1" in caplog.text
    assert "the kernels for the router cannot be used: no such instruction" in caplog.text
    assert "attention" not in caplog.text

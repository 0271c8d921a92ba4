"""The devices that JAX finds here, and what it takes to find those that it does not."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import jax

from grok_app.errors import SettingsError

FOR_GPUS = "jax[cuda12]>=0.10,<0.11"  # what pip installs for NVIDIA's
_PACKAGES = ("jax_cuda12_plugin", "jax_cuda13_plugin")


def devices() -> list[jax.Device]:
    """All devices that JAX may use here.

    Raises:
        SettingsError: JAX_PLATFORMS asks for a kind that is not to be had.
    """
    try:
        return jax.devices()
    except (RuntimeError, AssertionError) as error:  # the second: no package for GPUs
        asked = os.environ.get("JAX_PLATFORMS", "")
        reason = str(error).partition(" (set JAX_PLATFORMS")[0] or "its package is not installed"
        missing = "" if _can_use_gpus() else f'; for NVIDIA GPUs: pip install "{FOR_GPUS}"'
        raise SettingsError(
            f"JAX has no device with JAX_PLATFORMS={asked}: {reason}; without JAX_PLATFORMS it "
            f"takes what there is{missing}"
        ) from error


def overlooked_gpus() -> str | None:
    """What to install where this machine has an NVIDIA GPU and JAX no package for it."""
    asked = os.environ.get("JAX_PLATFORMS", "")
    there = Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi")
    if not there or _can_use_gpus() or (asked and "cuda" not in asked):
        return None
    return (
        "this machine has an NVIDIA GPU, but JAX's package for it is not installed, so that "
        f'processors compute: pip install "{FOR_GPUS}"'
    )


def _can_use_gpus() -> bool:
    return any(find_spec(package) for package in _PACKAGES)

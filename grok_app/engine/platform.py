"""Which platform a device is of, and whether kernels of our own serve there."""

from __future__ import annotations

from pathlib import Path

import jax

from grok_app.errors import SettingsError
from grok_app.kernels import KERNELS, XLA, Platform, build
from grok_app.model.check import kernels_agree


def platform_of(device: jax.Device, wanted: str, folder: Path, dtype: str) -> Platform:
    """The platform of a device, with the kernels that `wanted` of `options.KERNELS` gives it, for
    computing in `dtype`.

    Those for processors are compiled into `folder` at the first time; those for GPUs are tried on
    a small layer each time.

    Raises:
        SettingsError: kernels of our own are asked for, and there are none.
    """
    name = _name(device)
    kernels = KERNELS.get(name, XLA) if wanted != "xla" else XLA
    if kernels == "cpp" and not build(folder):
        kernels = XLA
    if kernels == "pallas" and not kernels_agree(Platform(name, kernels), dtype):
        kernels = XLA
    if wanted == "native" and kernels == XLA:
        raise SettingsError(
            f"--kernels native: there are none that can serve {device.device_kind} here "
            f"(platform {name}; the log says more where some do not work); "
            "--kernels auto does without"
        )
    return Platform(name, kernels)


def _name(device: jax.Device) -> str:
    """As XLA names the platform; JAX calls the GPUs of two makers alike."""
    if device.platform != "gpu":
        return device.platform
    return "cuda" if device.device_kind.startswith("NVIDIA") else "rocm"

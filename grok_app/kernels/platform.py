"""What a program is made for: it is told, so that nothing asks while the program is traced."""

from __future__ import annotations

from dataclasses import dataclass

XLA = "xla"  # no kernels of our own: XLA's form of everything

KERNELS = {"cpu": "cpp", "cuda": "pallas"}
"""Which kernels serve which platform; on any other one it is XLA's form."""


@dataclass(frozen=True)
class Platform:
    """What a program is made for.

    Attributes:
        name: as XLA names it: "cpu", "cuda", "rocm", "tpu".
        kernels: one of those in `KERNELS`, which must be at hand, or `XLA`.
    """

    name: str
    kernels: str = XLA


CPU = Platform("cpu")

"""GPUs that are described rather than there: enough to compile for them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh

from grok_app.checkpoint.machine import KINDS
from grok_app.model.sharding import DATA, MODEL

_DESCRIPTIONS = Path(__file__).with_name("descriptions")  # in the form of XLA's GpuTargetConfig


class NoCompiler(Exception):
    """The packages that compile for GPUs are not installed."""


@dataclass(frozen=True)
class Gpus:
    """A mesh of (1, devices) GPUs of one kind, and the bytes a second that each reads."""

    mesh: Mesh
    bandwidth: float


def described(kind: str, devices: int) -> Gpus:
    """So many GPUs of one of `machine.KINDS`; none is needed, nor a driver.

    Raises:
        NoCompiler: a package is missing; the message says which.
    """
    jax.config.update("jax_platforms", "cpu")
    # Read when the compiler is loaded: no GPU is to be looked for, nor cuDNN to be there.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # nor said that there is none
    description = (_DESCRIPTIONS / f"{kind}.txt").read_text("utf-8")
    try:
        topology = topologies.get_topology_desc(
            platform="cuda", target_config=description, topology=f"1x1x{devices}"
        )
    except NotImplementedError as error:
        raise NoCompiler(
            "compiling for GPUs needs the packages of requirements-gpu-program.txt: "
            "make gpu-program installs them beside the others and runs this"
        ) from error
    mesh = Mesh(np.array(topology.devices).reshape(1, devices), (DATA, MODEL))
    return Gpus(mesh, KINDS[kind].bandwidth)

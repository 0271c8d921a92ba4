"""How fast a checkpoint loads, and how much memory that takes beyond the arrays themselves.

Writes a random checkpoint to a temporary folder, loads it, makes the cache, takes a step, and
compares the memory of the process with what `plan` says. The files were just written, so most of
them come from the system's cache, not from the disk. Linux only: it reads /proc/self.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp

from bench.synthetic import write_checkpoint
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.checkpoint.machine import this_machine
from grok_app.checkpoint.plan import Setup, needs, stored_bytes
from grok_app.engine.runner import Runner
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import file_order
from grok_app.model.sharding import make_mesh

SLOTS, CONTEXT = 4, 1024


def config_of(gigabytes: float) -> GrokConfig:
    """A model of about that size, with layers of a size that some machines still call large."""
    width = 2048 if gigabytes > 2 else 768
    config = GrokConfig(
        emb_size=width,
        vocab_size=32768 if gigabytes > 2 else 8192,
        sequence_len=CONTEXT,
        num_q_heads=width // 128,
        num_kv_heads=2,
        num_layers=1,
    )
    one, two = (stored_bytes(replace(config, num_layers=layers)) for layers in (1, 2))
    return replace(config, num_layers=1 + math.ceil((gigabytes * 1e9 - one) / (two - one)))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.loading", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=6.0, help="size (default: 6)")
    parser.add_argument("--mesh", default="1,1", help="DATA,MODEL (default: 1,1)")
    given = parser.parse_args()
    shape = tuple(map(int, given.mesh.split(",")))
    config = config_of(given.gigabytes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        write_checkpoint(path, config)
        os.sync()  # else the disk is still busy with writing
        figures = measure(path, (shape[0], shape[1]))
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):24}{value}")
    print(json.dumps(figures))


def measure(path: Path, shape: tuple[int, int]) -> dict[str, float]:
    """What loading the checkpoint, and then serving it, takes in this process."""
    checkpoint, mesh = open_checkpoint(path), make_mesh(shape)
    machine = this_machine(list(mesh.devices.flat))
    jax.block_until_ready(jnp.zeros(8) + 1)  # so that the runtime's own memory is there already
    before = resident()
    forget_peak()
    started = time.perf_counter()
    params = jax.block_until_ready(load_parameters(checkpoint, mesh))
    seconds = time.perf_counter() - started
    arrays = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    peak = resident("VmHWM") - before
    runner = Runner(checkpoint.config, params, mesh, "float32", SLOTS, CONTEXT)
    jax.block_until_ready(runner.slots)
    held = resident() - before
    jax.block_until_ready(runner.decode({}, 1))
    need = needs(checkpoint.config, Setup(shape, SLOTS, CONTEXT, "float32"), machine)
    return {
        "bytes": arrays,
        "seconds": round(seconds, 2),
        "gigabytes_per_second": round(arrays / seconds / 1e9, 2),
        "peak_bytes_on_top": peak - arrays,
        "largest_tensor_bytes": max(p.nbytes for p, _ in file_order(checkpoint.config)),
        "held_bytes": held,
        "planned_held_bytes": (need.weights + need.cache) * mesh.size,
        "serving_bytes": resident() - before,
        "planned_bytes": need.total * mesh.size,
    }


def resident(which: str = "VmRSS") -> int:
    """Bytes of memory this process has now; of "VmHWM", the most it had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(rf"^{which}:\s+(\d+) kB$", status, re.M)[0]) * 1024


def forget_peak() -> None:
    """Lets "VmHWM" begin anew (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    main()

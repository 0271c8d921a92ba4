"""How the time to compile grows with a model's depth, and what the compilation cache saves.

Each figure is the time that all programs of the engine take, in a process of its own: tiny models
of 4 and 64 layers without the cache, then the deep one again twice with a fresh cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.synthetic import write_checkpoint
from grok_app.model.config import GrokConfig

TINY = GrokConfig(
    vocab_size=512,
    sequence_len=256,
    emb_size=64,
    widening_factor=3,
    key_size=8,
    num_q_heads=8,
    num_kv_heads=8,
)

_PROGRAM = """
import sys, time
from pathlib import Path
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.engine.runner import Runner
from grok_app.model.sharding import make_mesh
checkpoint, mesh = open_checkpoint(Path(sys.argv[1])), make_mesh((1, 1))
params = load_parameters(checkpoint, mesh)
runner = Runner(checkpoint.config, params, mesh, "float32", 8, 256)
started = time.perf_counter()
runner.warm_up()
print(time.perf_counter() - started)
"""


def main() -> None:
    """Measures and prints."""
    argparse.ArgumentParser(prog="python -m bench.compiling", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folders = {layers: Path(temporary) / str(layers) for layers in (4, 64)}
        for layers, folder in folders.items():
            write_checkpoint(folder, replace(TINY, num_layers=layers))
        cache = Path(temporary) / "cache"
        figures = {
            "layers_4_s": seconds(folders[4]),
            "layers_64_s": seconds(folders[64]),
            "first_start_s": seconds(folders[64], cache),
            "second_start_s": seconds(folders[64], cache),
        }
    figures["times_as_long"] = round(figures["layers_64_s"] / figures["layers_4_s"], 2)
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):24}{value}")
    print(json.dumps(figures))


def seconds(folder: Path, cache: Path | None = None) -> float:
    """Seconds to compile all programs for the model in `folder`."""
    variables = {"JAX_COMPILATION_CACHE_DIR": str(cache)} if cache else {}
    variables["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(folder)],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return round(float(ended.stdout), 2)


if __name__ == "__main__":
    main()

"""One person on a random checkpoint: decode and prefill, and what share of the machine they use.

The floor of a decode step is the time to read once what one token needs: two experts and the
attention of every layer, and the output matrix.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import grok_app
from bench.machine import read_bandwidth
from bench.synthetic import MIDDLING, write_checkpoint
from grok_app import EngineOptions, SamplingParams
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import parameters
from grok_app.options import KERNELS

PROMPT, REPLY = 256, 64  # tokens


def main() -> None:
    """Measures and prints."""
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.checkpoint or Path(temporary) / "model"
        if not options.checkpoint:
            write_checkpoint(folder, MIDDLING)
        started = time.perf_counter()
        engine = grok_app.load(
            folder,
            EngineOptions(
                mesh=(1, 1), dtype=options.dtype, slots=options.slots, kernels=options.kernels
            ),
        )
        ready = time.perf_counter() - started
    prefill, decode = _speeds(engine, options.times)
    bandwidth = read_bandwidth()
    needed = bytes_a_token(engine.config, options.dtype)
    figures = {
        "device": engine.device,
        "ready_s": round(ready, 1),
        "prefill_tokens_per_s": round(prefill, 1),
        "decode_tokens_per_s": round(decode, 1),
        "megabytes_a_token": round(needed / 1e6, 1),
        "bandwidth_gb_per_s": round(bandwidth / 1e9, 1),
        "share_of_floor": round(decode * needed / bandwidth, 3),
    }
    engine.close()
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):24}{value}")
    print(json.dumps(figures))


def bytes_a_token(config: GrokConfig, dtype: str) -> int:
    """What one token of one conversation must read, the cache left out."""
    output = {"float32": 4, "bfloat16": 2}[dtype] * config.vocab_size * config.emb_size
    idle = 1 - config.num_selected_experts / config.num_experts
    layer = sum(
        p.nbytes * (1 - idle * (len(p.shape) == 3)) for p in parameters(config) if p.layered
    )
    return output + round(config.num_layers * layer)


def _speeds(engine: grok_app.Engine, times: int) -> tuple[float, float]:
    """Median tokens a second of (prefill, decode)."""
    rng = np.random.default_rng(0)
    prefills, decodes = [], []
    for _ in range(times + 1):
        prompt = rng.integers(3, engine.config.vocab_size, PROMPT).tolist()
        started = time.perf_counter()
        with engine.generate(
            prompt, SamplingParams(max_tokens=REPLY, temperature=0.8, seed=1)
        ) as generation:
            next(generation)
            first = time.perf_counter()
            made = sum(1 for _ in generation)
        prefills.append(PROMPT / (first - started))
        decodes.append(made / (time.perf_counter() - first))
    return statistics.median(prefills[1:]), statistics.median(decodes[1:])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.decode", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, help="a folder to use instead of a random one")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--slots", type=int, default=1, help="of the engine (default: 1)")
    parser.add_argument("--kernels", choices=KERNELS, default="auto", help="(default: auto)")
    parser.add_argument("--times", type=int, default=5, help="repetitions (default: 5)")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""What the compiled program says to the other devices, and how it grows."""

import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.synthetic import write_checkpoint
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.engine.runner import Runner
from grok_app.model.config import GrokConfig
from grok_app.model.sharding import make_mesh
from tests.app_process import ROOT
from tests.model.hlo import Region, regions

SLOTS = 8
TINY = GrokConfig(
    vocab_size=512,
    sequence_len=256,
    emb_size=32,
    widening_factor=3,
    key_size=8,
    num_q_heads=8,
    num_kv_heads=8,
    num_layers=2,
)


def runner_of(folder: Path, mesh: tuple[int, int]) -> Runner:
    checkpoint, device_mesh = open_checkpoint(folder), make_mesh(mesh)
    params = load_parameters(checkpoint, device_mesh)
    return Runner(checkpoint.config, params, device_mesh, jnp.float32, SLOTS, 256)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Models alike but for their depth."""
    parent = tmp_path_factory.mktemp("tiny")
    for layers in (2, 4, 64):
        write_checkpoint(parent / str(layers), replace(TINY, num_layers=layers))
    return {layers: parent / str(layers) for layers in (2, 4, 64)}


def decode_step(runner: Runner) -> jax.stages.Lowered:
    lowered: jax.stages.Lowered = runner._programs["decode"].lower(
        runner.params, runner.slots, np.ones(SLOTS, bool), np.int32(1)
    )
    return lowered


def layers_of(program: Region) -> Region:
    """The loop over the layers: the innermost that speaks to other devices."""
    speaking = [
        loop
        for loop in program.all_loops()
        if loop.collectives and not any(inner.collectives for inner in loop.all_loops())
    ]
    assert len(speaking) == 1
    return speaking[0]


def test_two_sums_a_layer_and_no_weight_ever_travels(tiny) -> None:
    outside = []
    for layers in (2, 4):
        text = decode_step(runner_of(tiny[layers], (1, 8))).compile().as_text()
        assert text is not None
        program = regions(text)
        body = layers_of(program)
        assert [kind for kind, _ in body.collectives] == ["all-reduce"] * 2
        everywhere = program.everywhere()
        outside.append(sorted(everywhere))
        largest = SLOTS * max(TINY.vocab_size, TINY.emb_size)
        for kind, result in everywhere:
            sizes = [math.prod(map(int, s.split(","))) for s in re.findall(r"\[([\d,]+)\]", result)]
            assert sum(sizes) <= largest, f"{kind} of {result}"
            assert "s8" not in result, f"{kind} of {result}"
    assert outside[0] == outside[1]
    assert len(outside[0]) - 2 <= 2  # the embeddings are summed, the logits gathered


def test_a_deeper_model_is_no_longer_program(tiny) -> None:
    shallow, deep = (decode_step(runner_of(tiny[n], (1, 1))).as_text() for n in (4, 64))
    assert len(deep.splitlines()) == len(shallow.splitlines())


SIXTEEN = """
import sys, numpy as np, jax, grok_app
from grok_app import EngineOptions, SamplingParams
assert len(jax.devices()) == 16
with np.load(sys.argv[1] + "/expected.npz") as expected:
    for mesh in ((1, 16), (2, 8)):  # the second has each head once
        options = EngineOptions(mesh=mesh, dtype="float32", slots=mesh[0])
        engine = grok_app.load(sys.argv[1], options)
        apart = np.abs(engine.logits(expected["tokens"]) - expected["logits_float32"]).max()
        params = SamplingParams(max_tokens=8, seed=5)
        tokens = [piece.token_id for piece in engine.generate([3, 1, 4], params)]
        engine.close()
        print(apart < 1e-3, tokens)
"""


def test_sixteen_devices_with_two_to_a_key_value_head(mini: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SIXTEEN, str(mini)],
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=16"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.splitlines()
    assert first.startswith("True [")
    assert first == second

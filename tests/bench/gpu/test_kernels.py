"""Of what our own kernels are given they read one layer, the chosen experts, the live positions."""

from __future__ import annotations

from dataclasses import replace

from bench.gpu.hlo import Shape
from bench.gpu.kernels import kernel_bytes
from grok_app.checkpoint.speed import Step
from grok_app.kernels.gpu import KEYS
from grok_app.model.config import GROK_1

CONFIG = replace(GROK_1, num_layers=4, num_experts=8, num_selected_experts=2)


def test_of_stacks_one_layer_and_the_chosen_experts() -> None:
    rows, stack = Shape("f32", (3, 16)), Shape("s8", (4, 16, 10))
    assert kernel_bytes(CONFIG, Step(3, 0), "few_rows", [rows, stack]) == 3 * 16 * 4 + 16 * 10
    matrices, hidden = Shape("s8", (4, 8, 16, 10)), Shape("bf16", (8, 1, 10))
    for people, experts in ((1, 2), (3, 6), (9, 8)):
        moved = kernel_bytes(CONFIG, Step(people, 0), "experts_up", [matrices, hidden])
        assert moved == experts * (16 * 10 + 2 * 10)


def test_of_the_cache_the_positions_so_far() -> None:
    keys, visible = Shape("bf16", (4, 8, 1, 1024, 128)), Shape("pred", (8, 1024))
    read = kernel_bytes(CONFIG, Step(2, 100), "attend_piece", [keys, visible])
    assert read == 2 * 2 * KEYS * (2 * 128 + 1)
    assert kernel_bytes(CONFIG, Step(2, 100), "remember", [keys]) == 2 * 2 * 128

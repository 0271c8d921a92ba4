"""What a compiled program does is read from its text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.gpu.hlo import Shape, read
from bench.gpu.work import Told, Work, layer, whole
from tests.app_process import ROOT

# A loop over two layers: a matrix is copied out of a stack, multiplied, and the product put into an
# array. Then a loop of unknown length, a branch, a sum over devices.
PROGRAM = (ROOT / "tests/bench/gpu/step.hlo").read_text("utf-8")


def no_kernels(name: str, arrays: Sequence[Shape]) -> int:
    raise AssertionError(name)


def test_a_layer_is_what_its_loop_runs_once() -> None:
    copied = 8 * 4 + 4 + 8 * 4  # of the stack the slice alone is read, its place, and it is written
    product = 8 * 4 + 4 * 8 + 4 * 4
    put = 4 * 4 + 4 + 4 * 4  # in place
    assert layer(read(PROGRAM), Told(lambda source: 0, no_kernels)) == Work(
        3, 0, 0, copied + product + put
    )


@pytest.mark.parametrize("rounds", [0, 3])
def test_a_loop_of_unknown_length_waits_once_more_than_it_runs(rounds: int) -> None:
    program = read(PROGRAM)
    asked: list[str] = []

    def told(source: str) -> int:
        asked.append(source)
        return rounds

    work = whole(program, Told(told, no_kernels))
    assert asked == ["jit(step)/while"]  # of the other one it is known
    conditions, branch, reduction = rounds + 1, 1, 1
    assert work.launches == 2 * 3 + rounds + conditions + reduction
    assert work.waits == conditions + branch
    assert work.collectives == 1
    twice, ask, summed = 2 * 4 * 64, 1, 2 * 4 * 64
    layers = layer(program, Told(told, no_kernels)).bytes * 2
    assert work.bytes == layers + rounds * twice + conditions * ask + summed


def test_shapes_know_their_bytes() -> None:
    text = (
        "ENTRY %main (x: bf16[2,3]) -> (pred[], s4[8], token[]) {\n  ROOT %x = {} parameter(0)\n}"
    )
    program = read(text.replace("{}", "(pred[], bf16[2,3]{1,0}, s4[8]{0}, token[])"))
    root = program.computations[program.entry].root
    assert root.shapes[1] == Shape("bf16", (2, 3))
    assert [shape.nbytes for shape in root.shapes] == [1, 12, 4, 0]

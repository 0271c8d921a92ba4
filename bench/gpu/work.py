"""What a compiled program has the device and the host do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bench.gpu.hlo import Computation, Instruction, Program
from bench.gpu.traffic import KernelBytes, bytes_moved

Rounds = Callable[[str], int]
"""From where a loop comes in the traced program -> how often it runs, for those whose length only
the device knows."""


@dataclass(frozen=True)
class Told:
    """What the program's text does not tell."""

    rounds: Rounds
    kernel_bytes: KernelBytes


# No kernel: names for parts of what there is, and the ends of what was begun.
_IDLE = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"),
    *("all-reduce-done", "all-gather-done", "copy-done", "async-done"),
}
_COLLECTIVES = re.compile(r"(all-reduce|all-gather|all-to-all|reduce-scatter|collective-\w+)")
_LAYERS = re.compile(r"transformer/while$")


@dataclass(frozen=True)
class Work:
    """Kernels launched, waits of the host for the device, sums and gatherings over devices, and
    bytes that a device moves."""

    launches: int = 0
    waits: int = 0
    collectives: int = 0
    bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.launches + other.launches,
            self.waits + other.waits,
            self.collectives + other.collectives,
            self.bytes + other.bytes,
        )

    def __mul__(self, times: int) -> Work:
        return Work(
            times * self.launches, times * self.waits, times * self.collectives, times * self.bytes
        )


def whole(program: Program, told: Told) -> Work:
    """The work of one run of a program."""
    return _of(program, program.computations[program.entry], told)


def layer(program: Program, told: Told) -> Work:
    """The work of one of the decoder's layers, in the loop over them."""
    loops = [
        instruction
        for computation in program.computations.values()
        for instruction in computation.instructions.values()
        if instruction.opcode == "while" and _LAYERS.search(instruction.source)
    ]
    assert len(loops) == 1, "expected one loop over the layers"
    return _of(program, program.computations[loops[0].called("body")], told)


def _of(program: Program, computation: Computation, told: Told) -> Work:
    work = Work()
    for instruction in computation.instructions.values():
        if instruction.opcode == "while":
            work += _loop(program, instruction, told)
        elif instruction.opcode == "conditional":
            # The shortest way: the likeliest token, and no log-probabilities asked for.
            ways = [_of(program, program.computations[b], told) for b in instruction.branches]
            work += Work(waits=1) + min(ways, key=lambda way: way.launches)
        elif instruction.opcode == "call":
            work += _of(program, program.computations[instruction.called("to_apply")], told)
        elif instruction.opcode not in _IDLE:
            moved = bytes_moved(program, computation, instruction, told.kernel_bytes)
            speaks = int(bool(_COLLECTIVES.match(instruction.opcode)))
            work += Work(1, 0, speaks, moved)
    return work


def _loop(program: Program, loop: Instruction, told: Told) -> Work:
    """A loop of unknown length: before each round, and once more, the host reads whether to go
    on."""
    body = _of(program, program.computations[loop.called("body")], told)
    if loop.rounds is not None:
        return body * loop.rounds
    many = told.rounds(loop.source)
    asked = _of(program, program.computations[loop.called("condition")], told) + Work(waits=1)
    return body * many + asked * (many + 1)

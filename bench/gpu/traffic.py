"""The bytes that an instruction reads from and writes to a device's memory.

A fusion is one kernel: what it makes on the way stays in registers, and of what it is given it
reads what its result needs. A slice of a stack counts as the slice, a place written in a large
array as the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bench.gpu.hlo import Computation, Instruction, Program, Shape

# They read of their first operand no more than they make.
_SLICES = {"dynamic-slice", "gather", "slice"}
# They write into their first operand, which lies where their result does: operand -> what is new.
_UPDATES = {"dynamic-update-slice": 1, "scatter": 2}
# One element of the result needs one of each operand.
_ELEMENTWISE = {
    *("abs", "add", "and", "bitcast", "bitcast-convert", "clamp", "compare", "convert", "copy"),
    *("cosine", "divide", "exponential", "is-finite", "log", "maximum", "minimum", "multiply"),
    *("negate", "not", "or", "power", "reshape", "rsqrt", "select", "shift-left", "sign", "sine"),
    *("shift-right-logical", "subtract", "tanh", "transpose", "tuple", "xor", "concatenate"),
}


KernelBytes = Callable[[str, Sequence[Shape]], int]
"""The name of a kernel of our own, and the arrays that it takes and makes -> bytes that it
reads and writes."""


def bytes_moved(
    program: Program,
    computation: Computation,
    instruction: Instruction,
    kernel_bytes: KernelBytes,
) -> int:
    """Bytes read and written by one instruction that is launched."""
    given = computation.operands(instruction)
    if found := re.search(r"(\w+)/pallas_call$", instruction.source):
        taken = [shape for operand in given for shape in operand.shapes]
        return kernel_bytes(found[1], [*taken, *instruction.shapes])
    if instruction.opcode == "fusion":
        inside = program.computations[instruction.called("calls")]
        return _read_inside(inside) + _written(inside, inside.root)
    return sum(_read(instruction, given).values()) + _written(computation, instruction)


def _read(instruction: Instruction, given: list[Instruction]) -> dict[str, int]:
    """Bytes read of each operand by an instruction that is a kernel of its own."""
    read = {operand.name: operand.nbytes for operand in given}
    if instruction.opcode in _SLICES:
        read[given[0].name] = instruction.nbytes
    if instruction.opcode in _UPDATES:
        read[given[0].name] = 0
    return read


def _written(computation: Computation, instruction: Instruction) -> int:
    """Bytes of what is new in what an instruction makes."""
    given = computation.operands(instruction)
    if instruction.opcode == "tuple":
        return sum(_written(computation, part) for part in given)
    if instruction.opcode == "bitcast" and given[0].opcode in _UPDATES:
        return _written(computation, given[0])
    if instruction.opcode in _UPDATES:
        return given[_UPDATES[instruction.opcode]].nbytes
    return 0 if instruction.opcode == "parameter" else instruction.nbytes


def _read_inside(fusion: Computation) -> int:
    """Bytes that a fusion reads of its parameters: backwards from the result, how many elements
    of each instruction are needed."""
    needed = dict.fromkeys(fusion.instructions, 0)
    needed[fusion.root.name] = fusion.root.count
    for instruction in reversed(fusion.instructions.values()):
        many = needed[instruction.name] = min(needed[instruction.name], instruction.count)
        for place, operand in enumerate(fusion.operands(instruction)):
            if many:
                needed[operand.name] += _needs(instruction, place, operand, many)
    return sum(
        instruction.nbytes * needed[instruction.name] // max(1, instruction.count)
        for instruction in fusion.instructions.values()
        if instruction.opcode == "parameter"
    )


def _needs(instruction: Instruction, place: int, operand: Instruction, many: int) -> int:
    """Elements of the operand at a place that so `many` of an instruction's result need."""
    if instruction.opcode in _UPDATES and place == 0:
        return 0
    if instruction.opcode in _ELEMENTWISE or (instruction.opcode in _SLICES and place == 0):
        return min(many, operand.count)
    return operand.count

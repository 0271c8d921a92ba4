"""Reads the text of a compiled program (XLA's HLO, after all of its passes)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^  (ROOT )?%?([\w.\-]+) = (.*)$")
_SHAPE = re.compile(r"\b([a-z]\w*)\[([\d,]*)\]")
_OPCODE = re.compile(r" ([a-z][\w\-]*)\(")
_NAME = re.compile(r"%([\w.\-]+)")


@dataclass(frozen=True)
class Shape:
    """The type and the sizes of an array."""

    kind: str
    sizes: tuple[int, ...]

    @property
    def count(self) -> int:
        """Its elements."""
        return math.prod(self.sizes)

    @property
    def nbytes(self) -> int:
        """Its bytes; none for what is no array, such as a token."""
        if self.kind == "pred":
            return self.count
        bits = re.match(r"(?:bf|f|s|u|c)(\d+)", self.kind)
        return self.count * int(bits[1]) // 8 if bits else 0


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        name: unique in its computation.
        opcode: such as "fusion".
        shapes: of what it makes, several of a tuple.
        operands: the names of instructions of the same computation.
        rest: the attributes, as text.
        is_root: whether it makes the computation's result.
    """

    name: str
    opcode: str
    shapes: tuple[Shape, ...]
    operands: tuple[str, ...]
    rest: str
    is_root: bool

    @property
    def nbytes(self) -> int:
        """Bytes of what it makes."""
        return sum(shape.nbytes for shape in self.shapes)

    @property
    def count(self) -> int:
        """Elements of what it makes."""
        return sum(shape.count for shape in self.shapes)

    @property
    def source(self) -> str:
        """From where in the traced program it comes, such as "jit(decode)/while/body/add"."""
        found = re.search(r'op_name="([^"]*)"', self.rest)
        return found[1] if found else ""

    @property
    def rounds(self) -> int | None:
        """How often a loop runs, where that is known before it begins."""
        found = re.search(r'known_trip_count":\{"n":"(\d+)"', self.rest)
        return int(found[1]) if found else None

    def called(self, role: str) -> str:
        """The computation that it calls in a role, such as "body" or "calls"."""
        found = re.search(rf"\b{role}=%?([\w.\-]+)", self.rest)
        assert found, (role, self.name)
        return found[1]

    @cached_property
    def branches(self) -> tuple[str, ...]:
        """The computations that a conditional chooses from."""
        if found := re.search(r"branch_computations=\{([^}]*)\}", self.rest):
            return tuple(_NAME.findall(found[1]))
        return self.called("true_computation"), self.called("false_computation")


@dataclass(frozen=True)
class Computation:
    """Instructions in an order in which they can run, by their names."""

    instructions: dict[str, Instruction]

    @property
    def root(self) -> Instruction:
        """What makes the result."""
        return next(i for i in self.instructions.values() if i.is_root)

    def operands(self, instruction: Instruction) -> list[Instruction]:
        """What an instruction takes."""
        return [self.instructions[name] for name in instruction.operands]


@dataclass(frozen=True)
class Program:
    """All computations by name, and the name of the one that is run."""

    computations: dict[str, Computation]
    entry: str


def read(text: str) -> Program:
    """The program of a compiled function's `as_text()`."""
    computations: dict[str, Computation] = {}
    entry, current = "", Computation({})
    for line in text.splitlines():
        if found := _COMPUTATION.match(line):
            current = computations[found[2]] = Computation({})
            entry = found[2] if found[1] else entry
        elif found := _INSTRUCTION.match(line):
            instruction = _instruction(found[2], found[3], bool(found[1]))
            current.instructions[instruction.name] = instruction
    return Program(computations, entry)


def _instruction(name: str, text: str, is_root: bool) -> Instruction:
    """An instruction of the text after its name: type, opcode, operands, attributes."""
    after_type = _closing(text, 0) if text.startswith("(") else text.index(" ")
    opcode = _OPCODE.match(text, after_type)
    assert opcode, text[:200]
    start = opcode.end() - 1
    end = _closing(text, start)
    shapes = tuple(
        Shape(kind, tuple(map(int, filter(None, sizes.split(",")))))
        for kind, sizes in _SHAPE.findall(text[:after_type])
    )
    operands = tuple(_NAME.findall(text[start:end]))
    return Instruction(name, opcode[1], shapes, operands, text[end:], is_root)


def _closing(text: str, start: int) -> int:
    """Where the parenthesis that opens at `start` is closed: the place behind it."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    raise ValueError(text[:200])

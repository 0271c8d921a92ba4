"""Reads what a compiled program does from its text (XLA's HLO)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.-]+) \(.*\{$")
_COLLECTIVE = re.compile(
    r"= (.*?) (all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter"
    r"|collective-broadcast)(?:-start)?\("
)
_CALLED = re.compile(r"(?:calls|to_apply|condition|true_computation|false_computation)=%?([\w.-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_LOOP = re.compile(r" while\(.*body=%?([\w.-]+)")


@dataclass
class Region:
    """A program, or the body of a loop in it.

    Attributes:
        collectives: (kind, type of the result) of each that runs once in a pass of the region.
        loops: the loops in it.
    """

    collectives: list[tuple[str, str]] = field(default_factory=list)
    loops: list[Region] = field(default_factory=list)

    def all_loops(self) -> Iterator[Region]:
        """The loops in it, and those in them."""
        for loop in self.loops:
            yield loop
            yield from loop.all_loops()

    def everywhere(self) -> list[tuple[str, str]]:
        """The collectives in it and in its loops."""
        return sum((loop.collectives for loop in self.all_loops()), self.collectives)


def regions(text: str) -> Region:
    """The program of a compiled function's `as_text()`."""
    computations: dict[str, list[str]] = {}
    entry, lines = "", []
    for line in text.splitlines():
        if found := _COMPUTATION.match(line):
            lines = computations[found[2]] = []
            entry = found[2] if found[1] else entry
        else:
            lines.append(line)
    region = Region()
    _visit(computations, entry, region)
    return region


def _visit(computations: dict[str, list[str]], name: str, region: Region) -> None:
    for line in computations[name]:
        if found := _COLLECTIVE.search(line):
            region.collectives.append((found[2], found[1]))
        called = _CALLED.findall(line)
        for branches in _BRANCHES.findall(line):
            called += re.findall(r"[\w.-]+", branches)
        for other in called:
            _visit(computations, other, region)
        if loop := _LOOP.search(line):
            body = Region()
            _visit(computations, loop[1], body)
            region.loops.append(body)

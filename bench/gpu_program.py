"""What the engine's programs would do on GPUs, without having one.

Compiles them for so many GPUs, for Grok-1 in bfloat16 and a context of 8192 tokens, and reads from
the compiled programs how many kernels a layer and a token launch, how often the host waits for a
device (before each round of a loop whose length only the device knows, and at each branch), how
often devices speak to one another, and what bytes each moves, beside those that it must read.

These are exact, where a kernel's launch is decided; of branches the shortest way counts: the
likeliest token is chosen and no log-probabilities are asked for. The milliseconds are an estimate,
bytes at the GPU's bandwidth and a price for each launch and each wait.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from bench.gpu.devices import Gpus, NoCompiler, described
from bench.gpu.hlo import Program, read
from bench.gpu.kernels import kernel_bytes
from bench.gpu.programs import DTYPE, Compiled, Engine
from bench.gpu.step import rounds_of
from bench.gpu.work import Told, layer, whole
from grok_app.checkpoint.machine import KINDS
from grok_app.checkpoint.speed import LAUNCH, WAIT, Step, floor_bytes
from grok_app.model.config import GROK_1
from grok_app.options import LONG_CHUNKS

PEOPLE = (1, 8, 32)
CONTEXT = GROK_1.sequence_len


@dataclass(frozen=True)
class Row:
    """What one run of a program does: a token of each person, or a chunk of a prompt.

    Attributes:
        what: "decode", or "prefill" and the tokens of the chunk.
        people: who get a token.
        slots: of the engine that the program is of.
        position: of the last token.
        launches: of kernels; `layer_launches` of them in each layer, `outside_launches` in none.
        waits: of the host; `waits_in_layers` of them in the layers, all together.
        collectives: sums and gatherings over the devices; a layer's in `layer_collectives`.
        bytes: that each device reads and writes; `floor_bytes` is what it must read.
        scratch_bytes: of each device's memory.
        ms: milliseconds, an estimate.
    """

    what: str
    people: int
    slots: int
    position: int
    launches: int
    layer_launches: int
    outside_launches: int
    waits: int
    waits_in_layers: int
    collectives: int
    layer_collectives: int
    bytes: int
    floor_bytes: int
    scratch_bytes: int
    ms: float


def main() -> None:
    """Compiles, counts and prints."""
    options = _options()
    try:
        gpus = described(options.kind, options.devices)
    except NoCompiler as missing:
        sys.exit(str(missing))
    rows = measured(gpus, options.slots)
    floor = min(row.floor_bytes for row in rows) / gpus.bandwidth
    print(f"{options.devices} x {options.kind}, {DTYPE}, context {CONTEXT}\n\n{table(rows)}\n")
    print(f"The floor of one person's token: {floor * 1e3:.1f} ms.")
    figures = json.dumps(
        {"kind": options.kind, "devices": options.devices, "rows": [asdict(row) for row in rows]}
    )
    if options.json:
        options.json.write_text(figures + "\n", "utf-8")
    print(figures)


def measured(gpus: Gpus, slots: int | None) -> list[Row]:
    """Decode for several people at the first position and at the last, and a chunk of a prompt.

    `slots` of the engine; None: as many as people.
    """
    last, rows = CONTEXT - 1, []
    for sized in PEOPLE if slots is None else (slots,):
        compiled = Engine(GROK_1, gpus.mesh, sized, CONTEXT).decode()
        program = read(compiled.text)
        served = [sized] if slots is None else [n for n in PEOPLE if n < slots] + [slots]
        steps = [Step(people, position) for people in served for position in (0, last)]
        rows += [_row("decode", step, sized, program, compiled, gpus) for step in steps]
    chunk, sized = LONG_CHUNKS[-1], slots or PEOPLE[0]
    compiled = Engine(GROK_1, gpus.mesh, sized, CONTEXT).prefill(chunk)
    program, what = read(compiled.text), f"prefill of {chunk}"
    steps = [Step(1, position, chunk) for position in (chunk - 1, last)]
    return rows + [_row(what, step, sized, program, compiled, gpus) for step in steps]


def _row(
    what: str, step: Step, slots: int, program: Program, compiled: Compiled, gpus: Gpus
) -> Row:
    layers = GROK_1.num_layers
    told = Told(rounds_of(GROK_1, step), partial(kernel_bytes, GROK_1, step))
    all_, each = whole(program, told), layer(program, told)
    seconds = all_.launches * LAUNCH + all_.waits * WAIT + all_.bytes / gpus.bandwidth
    return Row(
        what,
        step.people,
        slots,
        step.position,
        all_.launches,
        each.launches,
        all_.launches - layers * each.launches,
        all_.waits,
        layers * each.waits,
        all_.collectives,
        each.collectives,
        all_.bytes,
        floor_bytes(GROK_1, gpus.mesh.size, step, DTYPE),
        compiled.scratch,
        round(seconds * 1e3, 2),
    )


def table(rows: list[Row]) -> str:
    """The rows for reading, as Markdown."""
    lines = [
        "| | people | position | launches: a layer, outside | waits: a layer, outside "
        "| moved | of the floor | scratch | estimate |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        waits = row.waits_in_layers // GROK_1.num_layers, row.waits - row.waits_in_layers
        lines.append(
            f"| {row.what} | {row.people} | {row.position} "
            f"| {row.layer_launches}, {row.outside_launches} | {waits[0]}, {waits[1]} "
            f"| {row.bytes / 1e9:.2f} GB | x {row.bytes / row.floor_bytes:.2f} "
            f"| {row.scratch_bytes / 1e6:.0f} MB | {row.ms:.1f} ms |"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu_program", description=__doc__)
    parser.add_argument("--devices", type=int, default=8, help="GPUs (default: 8)")
    parser.add_argument("--kind", choices=KINDS, default="h100", help="(default: h100)")
    parser.add_argument("--slots", type=int, help="of the engine (default: as many as people)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


if __name__ == "__main__":
    main()

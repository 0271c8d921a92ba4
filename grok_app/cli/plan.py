"""Tell whether a model fits a machine, before anything is loaded.

Bytes of weights, cache and working space on each device, the mesh and why, and, where it does
not fit, the nearest that does. Where it fits, an estimate of its speed, if it is known what the
devices read in a second. Without --devices it looks at this machine. Nothing but config.json is
read. The exit status is 1 where it does not fit.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

from grok_app.checkpoint.devices import overlooked_gpus
from grok_app.checkpoint.folder import read_config
from grok_app.checkpoint.machine import KINDS, Machine, read_bytes, this_machine
from grok_app.checkpoint.plan import MemoryPlan, gigabytes, make_plan, setup_of
from grok_app.checkpoint.speed import MEASURED_BY_OTHERS, Speed, estimate
from grok_app.errors import SettingsError
from grok_app.model.config import GROK_1, GrokConfig
from grok_app.options import EngineOptions
from grok_app.settings import Option, options

RELEASED = "grok-1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        nargs="?",
        default=RELEASED,
        help="the model's folder, or grok-1 for the released model (default)",
    )
    parser.add_argument("--devices", metavar="N", type=int, help="devices of another machine")
    parser.add_argument("--kind", choices=KINDS, help="what they are, if they are such GPUs")
    parser.add_argument("--memory", metavar="SIZE", help="or memory of each, such as 80GiB")
    parser.add_argument(
        "--bandwidth", metavar="SIZE", help="what each reads in a second, such as 3.35TB"
    )
    for option in _served():
        parser.add_argument(option.flag, metavar=option.kind.metavar, help=option.described)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(given: argparse.Namespace) -> int:
    """Prints the plan."""
    config = _config(given.checkpoint)
    machine = _machine(given)
    asked = {option.name: option.default for option in _served()}
    for option in _served():
        if (text := getattr(given, option.name)) is not None:
            asked[option.name] = option.from_command_line(text)
    wanted = EngineOptions(**asked)
    plan = make_plan(config, machine, wanted)
    speed = estimate(config, setup_of(config, machine, wanted), machine) if plan.fits else None
    if given.json:
        print(json.dumps(asdict(plan) | {"estimate": asdict(speed) if speed else None}))
    else:
        print(_described(plan, speed, config == GROK_1))
    return 0 if plan.fits else 1


def _served() -> list[Option]:
    """The options of the app that decide how much memory it takes."""
    names = {field.name for field in fields(EngineOptions)} - {"queue", "kernels"}
    return [option for option in options() if option.name in names]


def _config(checkpoint: str) -> GrokConfig:
    folder = Path(checkpoint)
    if checkpoint == RELEASED and not folder.is_dir():
        return GROK_1
    return read_config(folder)


def _machine(given: argparse.Namespace) -> Machine:
    """This one, with a note where it has a GPU that JAX cannot use; or the one that is asked
    about."""
    if given.devices is given.memory is given.kind is None:
        machine = this_machine()
        if note := overlooked_gpus():
            print(f"note: {note}", file=sys.stderr)
    elif given.devices is None or (given.memory is None) == (given.kind is None):
        raise SettingsError(
            "another machine is --devices and either --kind or --memory, such as --devices 8 "
            "--kind h100 or --devices 8 --memory 80GiB"
        )
    elif given.devices < 1:
        raise SettingsError(f"--devices {given.devices}: expected at least 1")
    elif given.kind:
        machine = replace(KINDS[given.kind], devices=given.devices)
    else:
        machine = Machine(given.devices, read_bytes(given.memory), "", "as given")
    return replace(machine, bandwidth=read_bytes(given.bandwidth)) if given.bandwidth else machine


def _described(plan: MemoryPlan, speed: Speed | None, released: bool) -> str:
    lines = [
        f"weights as stored    {gigabytes(plan.weights_bytes_total):>12}",
        "on each device",
        f"  weights            {gigabytes(plan.weights_bytes_per_device):>12}",
        f"  cache              {gigabytes(plan.cache_bytes_per_device):>12}",
        f"  working space      {gigabytes(plan.workspace_bytes_per_device):>12}",
        *(_estimated(speed) if speed else []),
        *(f"- {reason}" for reason in plan.reasons),
        *([f"- the estimate counts {speed.reason}"] if speed else []),
        *([f"- {MEASURED_BY_OTHERS}"] if speed and released else []),
        "It fits." if plan.fits else "It does not fit.",
    ]
    return "\n".join(lines)


def _estimated(speed: Speed) -> list[str]:
    return [
        "tokens/s, an estimate",
        f"  for one person     {speed.one:>12.3g}",
        f"  for all slots      {speed.all:>12.3g}",
    ]

"""Tell whether a model fits a machine, before anything is loaded.

Bytes of weights, cache and working space on each device, the mesh and why, and, where it does
not fit, the nearest that does. Without --devices it looks at this machine. Nothing but
config.json is read. The exit status is 1 where it does not fit.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, fields
from pathlib import Path

from grok_app.checkpoint.folder import read_config
from grok_app.checkpoint.machine import Machine, read_bytes, this_machine
from grok_app.checkpoint.plan import MemoryPlan, gigabytes, make_plan
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
    parser.add_argument("--memory", metavar="SIZE", help="memory of each of them, such as 80GiB")
    for option in _served():
        parser.add_argument(option.flag, metavar=option.kind.metavar, help=option.described)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(given: argparse.Namespace) -> int:
    """Prints the plan."""
    config = _config(given.checkpoint)
    machine = _machine(given.devices, given.memory)
    asked = {option.name: option.default for option in _served()}
    for option in _served():
        if (text := getattr(given, option.name)) is not None:
            asked[option.name] = option.from_command_line(text)
    plan = make_plan(config, machine, EngineOptions(**asked))
    print(json.dumps(asdict(plan)) if given.json else _described(plan))
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


def _machine(devices: int | None, memory: str | None) -> Machine:
    if devices is None and memory is None:
        return this_machine()
    if devices is None or memory is None:
        raise SettingsError("--devices and --memory belong together, such as 8 and 80GiB")
    if devices < 1:
        raise SettingsError(f"--devices {devices}: expected at least 1")
    return Machine(devices, read_bytes(memory), "", "as given")


def _described(plan: MemoryPlan) -> str:
    lines = [
        f"weights as stored    {gigabytes(plan.weights_bytes_total):>12}",
        "on each device",
        f"  weights            {gigabytes(plan.weights_bytes_per_device):>12}",
        f"  cache              {gigabytes(plan.cache_bytes_per_device):>12}",
        f"  working space      {gigabytes(plan.workspace_bytes_per_device):>12}",
        *(f"- {reason}" for reason in plan.reasons),
        "It fits." if plan.fits else "It does not fit.",
    ]
    return "\n".join(lines)

"""The devices that a model is to be served on, and the memory they have."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax

from grok_app.address_space import left_address_space
from grok_app.checkpoint.devices import devices as all_devices
from grok_app.errors import SettingsError


@dataclass(frozen=True)
class Machine:
    """Devices alike.

    Attributes:
        devices: how many.
        memory: bytes of each, or its share where they share one memory.
        platform: "cpu", "gpu", "tpu"; "" where it is not known.
        name: what to call such a device.
        bandwidth: bytes of its memory that each reads in a second; 0 where it is not known.
    """

    devices: int
    memory: int
    platform: str
    name: str
    bandwidth: float = 0.0


KINDS = {  # one device of each; names as JAX gives them, sizes as the driver tells them
    "a100": Machine(1, 84974239744, "gpu", "NVIDIA A100-SXM4-80GB", 2.039e12),
    "h100": Machine(1, 84929347584, "gpu", "NVIDIA H100 80GB HBM3", 3.352e12),
    "h200": Machine(1, 150109880320, "gpu", "NVIDIA H200", 4.8e12),
}


def this_machine(devices: Sequence[jax.Device] | None = None) -> Machine:
    """What these devices, or all there are, have free now; those of a CPU share its memory.

    Raises:
        SettingsError: see `devices`.
    """
    devices = devices or all_devices()
    first = devices[0]
    mine = [device for device in devices if device.process_index == jax.process_index()]
    memory = min(filter(None, map(_free, mine)), default=0) or host_memory() // len(mine)
    speeds = {kind.name: kind.bandwidth for kind in KINDS.values()}
    speed = speeds.get(first.device_kind, 0.0)
    return Machine(len(devices), memory, first.platform, first.device_kind, speed)


def _free(device: jax.Device) -> int:
    """Bytes that a device can still give; 0 where it does not say."""
    stats = device.memory_stats() or {}
    return stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0)


def host_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of this machine's memory that programs can have now, the limits of a container and
    of `ulimit -v` heeded."""
    try:
        text = (proc / "meminfo").read_text(encoding="ascii")
        free = int(re.findall(r"^MemAvailable: +(\d+) kB$", text, re.M)[0]) * 1024
    except (OSError, IndexError):  # not Linux: then all there is
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(0, min(free, _left_to_groups(proc, groups), left_address_space()))


def _left_to_groups(proc: Path, groups: Path) -> int:
    """Bytes that the control groups which this process is in may still take."""
    left = [sys.maxsize]
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        parts = path.strip("/").split("/")
        for inner in (Path(*parts[:depth]) for depth in range(len(parts) + 1)):
            if not controllers:
                left.append(_left(groups / inner, "memory.max", "memory.current"))
            elif "memory" in controllers.split(","):  # the first version of control groups
                names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"
                left.append(_left(groups / "memory" / inner, *names))
    return min(left)


def _left(group: Path, limit: str, usage: str, total: str = "") -> int:
    """Bytes that one group may still take. Without a limit, or where there is no such group (a
    container may see its own as the root), more than any machine has."""
    try:
        most, used = (int((group / name).read_text(encoding="ascii")) for name in (limit, usage))
        stat = (group / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):  # "max"
        return sys.maxsize
    cached = re.findall(rf"^{total}(?:in)?active_file (\d+)$", stat, re.M)
    return most - used + sum(map(int, cached))  # what is cached is given back when needed


def read_bytes(text: str) -> int:
    """The number of bytes of a text such as "80GiB", "80GB" or "80G" (the same as GB).

    Raises:
        SettingsError: it is no such text.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT])(i?)B?", text.strip(), re.IGNORECASE)
    if not found or not float(found[1]):
        raise SettingsError(f"{text!r} is no size of memory; expected one such as 80GiB or 80GB")
    base = 1024 if found[3] else 1000
    power = " KMGT".index(found[2].upper())
    return int(float(found[1]) * base**power)

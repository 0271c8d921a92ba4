"""The devices that a model is to be served on, and the memory they have."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax

from grok_app.errors import SettingsError


@dataclass(frozen=True)
class Machine:
    """Devices alike.

    Attributes:
        devices: how many.
        memory: bytes of each, or its share where they share one memory.
        platform: "cpu", "gpu", "tpu"; "" where it is not known.
        name: what to call such a device.
    """

    devices: int
    memory: int
    platform: str
    name: str


def this_machine(devices: Sequence[jax.Device] | None = None) -> Machine:
    """What these devices, or all there are, have free now; those of a CPU share its memory."""
    devices = devices or jax.devices()
    first = devices[0]
    mine = [device for device in devices if device.process_index == jax.process_index()]
    memory = min(filter(None, map(_free, mine)), default=0) or host_memory() // len(mine)
    return Machine(len(devices), memory, first.platform, first.device_kind)


def _free(device: jax.Device) -> int:
    """Bytes that a device can still give; 0 where it does not say."""
    stats = device.memory_stats() or {}
    return stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0)


def host_memory() -> int:
    """Bytes of this machine's memory that programs can have now, a container's limit heeded."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        free = int(re.findall(r"^MemAvailable: +(\d+) kB$", text, re.M)[0]) * 1024
    except (OSError, IndexError):  # not Linux: then all there is
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(free, _container_limit() or free)


def _container_limit() -> int | None:
    """Bytes that this process's control group may still take, if it has a limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        stat = (group / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):  # "max", or no such group
        return None
    cached = re.findall(r"^(?:in)?active_file (\d+)$", stat, re.M)  # given back when needed
    return limit - used + sum(map(int, cached))


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

"""The address space that this process may take: `ulimit -v`, or a service's LimitAS."""

from __future__ import annotations

import sys
from pathlib import Path

from grok_app.errors import SettingsError

_NEEDED = 2 * 2**30  # bytes that JAX's threads and libraries take before there is any model


def check_address_space() -> None:
    """Looks before JAX is imported, whose threads and libraries end the process without a word.

    Raises:
        SettingsError: it is too small for any model.
    """
    if _limit() < _NEEDED:
        raise SettingsError(
            f"this process may take {_limit() / 2**30:.1f} GiB of address space (ulimit -v); "
            f"expected {_NEEDED / 2**30:.0f} GiB and the model's size at least: "
            "set it to unlimited"
        )


def left_address_space() -> int:
    """Bytes that this process may still map; more than any machine has where there is no limit."""
    limit = _limit()
    if limit == sys.maxsize:
        return limit
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return limit - pages * resource.getpagesize()


def _limit() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return sys.maxsize if soft == resource.RLIM_INFINITY or sys.platform != "linux" else soft

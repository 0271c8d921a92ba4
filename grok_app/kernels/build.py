"""Compiles the kernels once for this processor, keeps the library, and makes it known to XLA."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import jax
import jax.ffi
from jaxlib import version as jaxlib_version

log = logging.getLogger(__name__)

GROUPED_MATMUL, ATTENTION, ROW_PRODUCTS = TARGETS = (
    "grok_grouped_matmul",
    "grok_attention",
    "grok_row_products",
)
"""The names under which XLA calls the kernels, and of their symbols in the library."""

_SOURCE = Path(__file__).with_name("handlers.cc")  # includes the others
_COMPILERS = ("c++", "g++", "clang++")
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC")
_PATIENCE = 120  # seconds; it takes about 3


@cache
def build(folder: Path) -> bool:
    """Whether the kernels can be called from now on; compiles them into `folder` at the first time.

    Without a compiler, or where it fails, the log says so: XLA's own programs do the same work.
    """
    compiler = os.environ.get("CXX") or next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        log.info("no C++ compiler here: without one the model runs at a fraction of its speed")
        return False
    library = folder / f"{_fingerprint(compiler)}.so"
    try:
        if not library.exists():
            compile_to(library, compiler)
        loaded = ctypes.CDLL(str(library))
        handlers = {target: getattr(loaded, target) for target in TARGETS}
    except (OSError, AttributeError, ValueError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", None) or error
        log.warning("the native kernels cannot be used, XLA does its work: %s", reason)
        return False
    for target, handler in handlers.items():
        jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(handler), platform="cpu")
    return True


def compile_to(library: Path, compiler: str, *flags: str) -> None:
    """Compiles the kernels into the file `library`; `flags` come after the usual ones.

    Raises:
        OSError: the file cannot be written, or there is no such compiler.
        ValueError: a quotation in `compiler` does not end.
        subprocess.SubprocessError: the compiler fails; its `stderr` says why.
    """
    library.parent.mkdir(parents=True, exist_ok=True)
    include = ("-isystem", jax.ffi.include_dir())
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        made = Path(folder) / library.name
        command = [*shlex.split(compiler), *_FLAGS, *flags, *include, str(_SOURCE), "-o", str(made)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE)
        os.replace(made, library)  # whole or not at all, whoever else compiles at the same time


def _fingerprint(compiler: str) -> str:
    """Changes with what the library depends on: sources, jaxlib, the compiler's name, processor."""
    digest = hashlib.blake2b(digest_size=8)
    for source in (_SOURCE, *sorted(_SOURCE.parent.glob("*.h"))):
        digest.update(source.read_bytes())
    about = (jaxlib_version.__version__, compiler, _FLAGS, platform.machine(), _processor())
    digest.update(repr(about).encode())
    return digest.hexdigest()


def _processor() -> str:
    """What this processor can do: a home folder may be shared by machines of several kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.lower().startswith(("flags", "features"))), "")

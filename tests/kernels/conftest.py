"""The kernels, compiled for several kinds of processors."""

import ctypes
import platform
import shutil
from collections.abc import Callable

import jax
import pytest

from grok_app.kernels.build import TARGETS, compile_to

# The processor's own instructions, and fewer of them, as older processors have; and tuned for one
# for which compilers fuse multiplications and additions here and not there.
FLAGS = {
    "native": (),
    "avx2": ("-march=haswell",),
    "avx2_amd": ("-march=haswell", "-mtune=znver3"),
    "portable": ("-march=x86-64",),
}
REGISTERED: set[str] = set()
OF_THIS_MACHINE = FLAGS if platform.machine() == "x86_64" else {"native": ()}


@pytest.fixture(scope="session")
def compiler() -> str:
    """A C++ compiler, without which there is nothing to test."""
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if found is None:
        pytest.skip("no C++ compiler here")
    return found


@pytest.fixture(scope="session", params=OF_THIS_MACHINE)
def registered(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, compiler: str
) -> Callable[[str], str]:
    """The kernels compiled with one set of flags; maps a target to the name XLA knows it by."""
    if request.param not in REGISTERED:  # XLA takes a name once in a process
        library = tmp_path_factory.mktemp("kernels") / "kernels.so"
        compile_to(library, compiler, *FLAGS[request.param])
        loaded = ctypes.CDLL(str(library))
        for target in TARGETS:
            handler = jax.ffi.pycapsule(getattr(loaded, target))
            jax.ffi.register_ffi_target(f"{target}_{request.param}", handler, platform="cpu")
        REGISTERED.add(request.param)
    return lambda target: f"{target}_{request.param}"

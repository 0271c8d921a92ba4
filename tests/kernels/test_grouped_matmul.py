"""The native kernel multiplies right, whatever kind of processor it is compiled for."""

import ctypes
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax import Array

from grok_app.kernels import build
from grok_app.kernels.build import TARGET, compile_to
from tests.app_process import ROOT

COMPILER = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler here")

# The processor's own instructions, and fewer of them, as older processors have.
FLAGS = {"native": (), "avx2": ("-march=haswell",), "portable": ("-march=x86-64",)}
OF_THIS_MACHINE = FLAGS if platform.machine() == "x86_64" else {"native": ()}

Multiply = Callable[[Array, Array, Array, Array, Array], Array]


@pytest.fixture(scope="module", params=OF_THIS_MACHINE)
def multiply(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Multiply:
    """The kernel compiled with one set of flags."""
    assert COMPILER is not None
    library = tmp_path_factory.mktemp("kernels") / "kernel.so"
    compile_to(library, COMPILER, *FLAGS[request.param])
    name = f"{TARGET}_{request.param}"
    handler = getattr(ctypes.CDLL(str(library)), TARGET)
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(handler), platform="cpu")

    def call(x: Array, weight: Array, scales: Array, first: Array, counts: Array) -> Array:
        shape = jax.ShapeDtypeStruct((x.shape[0], weight.shape[-1]), jnp.float32)
        return jax.ffi.ffi_call(name, shape)(x, weight, scales, first, counts)

    return jax.jit(call)


def stack(matrices: int, rows: int, columns: int, groups: int) -> tuple[Array, Array]:
    """int8 [matrices, K, N] and bfloat16 [matrices, G, N], the extremes of int8 among them."""
    rng = np.random.default_rng(rows * columns)
    weight = rng.integers(-128, 128, (matrices, rows, columns), np.int8)
    scales = rng.uniform(0.5, 2, (matrices, groups, columns)).astype(ml_dtypes.bfloat16)
    return jnp.asarray(weight), jnp.asarray(scales)


def floats(weight: Array, scales: Array) -> np.ndarray:
    """The matrices that `stack` stands for, in float64."""
    matrices, rows, columns = weight.shape
    grouped = np.asarray(weight, np.float64).reshape(matrices, scales.shape[1], -1, columns)
    return (grouped * np.asarray(scales, np.float64)[:, :, None]).reshape(matrices, rows, columns)


def rows_of(count: int, width: int) -> Array:
    return jnp.asarray(np.random.default_rng(count).standard_normal((count, width), np.float32))


@pytest.mark.parametrize(
    ("depth", "columns", "groups"),
    [(256, 672, 1), (672, 256, 8), (8, 3, 1), (72, 65, 8), (1000, 4200, 8), (96, 64, 1)],
)
@pytest.mark.parametrize("counts", [[1], [3], [0, 5, 1], [70, 0, 2]], ids=str)
def test_rows_times_their_matrices(
    multiply: Multiply, depth: int, columns: int, groups: int, counts: list[int]
) -> None:
    weight, scales = stack(4, depth, columns, groups)
    x = rows_of(sum(counts) + 2, depth)  # two rows belong to no matrix
    out = multiply(x, weight, scales, jnp.int32(1), jnp.array(counts, jnp.int32))
    which = np.repeat(1 + np.arange(len(counts)), counts)
    exact = np.einsum("rk,rkn->rn", np.asarray(x, np.float64)[:-2], floats(weight, scales)[which])
    assert np.abs(out[:-2] - exact).max() < 4e-6 * np.abs(exact).max()
    assert not np.asarray(out[-2:]).any()


def test_a_rows_bits_do_not_depend_on_the_others(multiply: Multiply) -> None:
    weight, scales = stack(2, 1000, 200, 8)
    x = rows_of(40, 1000)
    together = np.asarray(multiply(x, weight, scales, jnp.int32(1), jnp.array([40])))
    for count in (1, 2, 3, 4, 5, 33):
        alone = multiply(x[7 : 7 + count], weight, scales, jnp.int32(1), jnp.array([count]))
        assert (np.asarray(alone) == together[7 : 7 + count]).all()


def test_it_is_compiled_once_and_kept(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from grok_app.kernels import build; "
        "sys.exit(not build(Path(sys.argv[1])))"
    )
    made = []
    for _ in range(2):  # processes of their own: a name is registered once in each
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=True)
        (library,) = tmp_path.iterdir()
        made.append(library.stat().st_mtime_ns)
    assert made[0] == made[1]


def test_without_a_compiler_it_says_so_and_the_app_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with caplog.at_level("INFO"):
        assert not build(tmp_path / "none")
    assert "no C++ compiler" in caplog.text


def test_a_compiler_that_fails_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\necho no such header >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    assert not build(tmp_path / "broken")
    assert "no such header" in caplog.text

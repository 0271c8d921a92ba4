"""Every number of a checkpoint comes to its place on its device, without a second copy."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest

from bench.synthetic import write_checkpoint
from grok_app.checkpoint.folder import Checkpoint, open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.checkpoint.stacks import DeviceStack, HostStack, _Place
from grok_app.errors import CheckpointError
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import Parameter, parameters
from grok_app.model.sharding import MODEL, make_mesh, scales_division, weight_division
from grok_app.model.weights import QuantizedWeight
from tests.app_process import ROOT

MESHES = [(1, 1), (1, 2), (1, 4), (1, 8), (2, 4), (8, 1)]
SMALL = GrokConfig(
    vocab_size=512,
    sequence_len=256,
    emb_size=64,
    widening_factor=1.5,
    key_size=8,
    num_q_heads=8,
    num_kv_heads=2,
    num_layers=2,
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with fewer key/value heads than there are devices."""
    folder = tmp_path_factory.mktemp("small") / "model"
    write_checkpoint(folder, SMALL)
    return folder


def whole(checkpoint: Checkpoint, p: Parameter) -> tuple[np.ndarray, np.ndarray | None]:
    """A parameter's stacked arrays, read in the plainest way."""
    tensors = [tensor for (q, _), tensor in checkpoint.tensors.items() if q == p]
    layers = [layer for (q, layer) in checkpoint.tensors if q == p]
    tensors = [tensors[layers.index(layer)] for layer in sorted(layers)]
    weights = np.stack([t.weight.view() for t in tensors])
    scales = np.stack([t.scales.view() for t in tensors if t.scales]) if p.groups else None
    if p.layered:
        return weights, scales
    return weights[0], None


def rows_of(p: Parameter, device: int, devices: int, parts: int, length: int) -> slice:
    """Which of `length` rows or columns a device holds, of which there are `parts` to divide."""
    distinct = min(devices, parts)
    part = device * distinct // devices
    return slice(part * length // distinct, (part + 1) * length // distinct)


@pytest.mark.parametrize("mesh_shape", MESHES, ids=str)
@pytest.mark.parametrize("model", ["mini", "small"])
def test_every_device_holds_its_own_part(model: str, mesh_shape, request) -> None:
    checkpoint = open_checkpoint(request.getfixturevalue(model))
    mesh, devices = make_mesh(mesh_shape), mesh_shape[1]
    tree = load_parameters(checkpoint, mesh)
    places = {device: at[1] for at, device in np.ndenumerate(mesh.devices)}
    for p in parameters(checkpoint.config):
        loaded = tree[p.module][p.name]
        weight, scales = whole(checkpoint, p)
        heads = p.copies_with or devices
        pairs = [(loaded, weight, heads)]
        if scales is not None:
            groups = p.groups if p.sharded == -2 else heads
            pairs = [(loaded.weight, weight, heads), (loaded.scales, scales, groups)]
        for array, expected, parts in pairs:
            for shard in array.addressable_shards:
                wanted = expected
                if p.sharded is not None:
                    length = expected.shape[p.sharded]
                    own = rows_of(p, places[shard.device], devices, parts, length)
                    wanted = np.moveaxis(np.moveaxis(expected, p.sharded, 0)[own], 0, p.sharded)
                np.testing.assert_array_equal(np.asarray(shard.data), wanted, err_msg=p.module)


@pytest.mark.parametrize("mesh_shape", MESHES, ids=str)
def test_accelerators_get_the_same_as_a_cpu(small: Path, mesh_shape) -> None:
    """Their way, matrix by matrix over the bus, tried on the CPU's devices."""
    checkpoint, mesh = open_checkpoint(small), make_mesh(mesh_shape)
    for (p, layer), tensor in checkpoint.tensors.items():
        if layer or tensor.scales is None:
            continue
        for array, division in (
            (tensor.weight, weight_division(p, mesh.shape[MODEL])),
            (tensor.scales, scales_division(p, mesh.shape[MODEL])),
        ):
            leading = len(array.shape) - 2
            place = _Place(array.shape, array.dtype, division, leading, mesh)
            stacks = HostStack(place), DeviceStack(place)
            for stack in stacks:
                for index in np.ndindex(*array.shape[:leading]):
                    matrix = array
                    for i in index:
                        matrix = matrix.part(i)
                    stack.fill(index, matrix)
            one, other = (stack.array() for stack in stacks)
            assert one.sharding == other.sharding
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("mesh_shape", MESHES, ids=str)
def test_the_embeddings_are_kept_in_the_type_that_is_computed_in(small: Path, mesh_shape) -> None:
    checkpoint, mesh = open_checkpoint(small), make_mesh(mesh_shape)
    tree = load_parameters(checkpoint, mesh, "bfloat16")
    floats = load_parameters(checkpoint, mesh)
    for p in parameters(checkpoint.config):
        loaded, wanted = tree[p.module][p.name], floats[p.module][p.name]
        if p.name == "embeddings":
            assert loaded.dtype == ml_dtypes.bfloat16
            wanted = np.asarray(wanted).astype(ml_dtypes.bfloat16)
            place = _Place(p.shape, loaded.dtype, weight_division(p, mesh_shape[1]), 0, mesh)
            stack = DeviceStack(place)
            stack.fill((), checkpoint.tensors[p, 0].weight)
            np.testing.assert_array_equal(np.asarray(stack.array()), wanted)
        elif p.groups is None:
            assert loaded.dtype == np.float32
        else:
            loaded, wanted = loaded.weight, wanted.weight
        np.testing.assert_array_equal(np.asarray(loaded), np.asarray(wanted))


def test_a_cpu_uses_the_memory_that_was_filled(small: Path) -> None:
    checkpoint, mesh = open_checkpoint(small), make_mesh((1, 2))
    p, tensor = next((p, t) for (p, _), t in checkpoint.tensors.items() if p.layered and p.groups)
    place = _Place(tensor.weight.shape, tensor.weight.dtype, weight_division(p, 2), 1, mesh)
    stack = HostStack(place)
    filled = [part.ctypes.data for part in stack._parts.values()]
    shards = stack.array().addressable_shards
    assert [shard.data.unsafe_buffer_pointer() for shard in shards] == filled


def test_a_file_that_shrinks_after_it_was_opened_is_named(small: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "model"))
    checkpoint = open_checkpoint(folder)
    path = folder / "ckpt-0" / "tensor00003_000"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(CheckpointError, match="tensor00003_000 ends early"):
        load_parameters(checkpoint, make_mesh((1, 1)))


def test_a_file_that_vanishes_after_it_was_opened_is_named(small: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "model"))
    checkpoint = open_checkpoint(folder)
    (folder / "ckpt-0" / "tensor00003_000").unlink()
    with pytest.raises(CheckpointError, match="tensor00003_000: cannot be read: No such file"):
        load_parameters(checkpoint, make_mesh((1, 1)))


def test_scales_are_bfloat16_and_weights_int8(mini: Path) -> None:
    tree = load_parameters(open_checkpoint(mini), make_mesh((1, 1)))
    quantized = [w for m in tree.values() for w in m.values() if isinstance(w, QuantizedWeight)]
    assert len(quantized) == 7
    assert all(w.weight.dtype == np.int8 for w in quantized)
    assert all(w.scales.dtype == ml_dtypes.bfloat16 for w in quantized)


@pytest.mark.slow
def test_loading_takes_no_second_copy() -> None:
    """The benchmark of loading, on a checkpoint of some hundred MB, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "bench.loading", "--gigabytes", "0.4"],
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["peak_bytes_on_top"] < 2 * found["largest_tensor_bytes"]
    assert found["held_bytes"] == pytest.approx(found["planned_held_bytes"], rel=0.1)


def test_jax_is_on_eight_devices() -> None:
    assert len(jax.devices()) == 8  # what the meshes above stand on

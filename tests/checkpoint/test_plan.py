"""The plan's figures are those of real arrays and of the compiled programs."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.checkpoint.machine import Machine, host_memory, read_bytes, this_machine
from grok_app.checkpoint.plan import Setup, gigabytes, make_plan, needs, stored_bytes
from grok_app.engine.runner import Runner
from grok_app.engine.scorer import CHUNK, Scorer
from grok_app.errors import SettingsError
from grok_app.model.config import GROK_1
from grok_app.model.sharding import make_mesh
from tests.app_process import ROOT

GIB = 2**30
EIGHT = Machine(8, 80 * GIB, "gpu", "H100")
SERVED = EngineOptions(dtype="bfloat16", slots=8, context=8192, saved=0)


def test_grok_1_as_stored() -> None:
    assert stored_bytes(GROK_1) == pytest.approx(318.2e9, rel=1e-3)


def test_grok_1_on_eight_gpus() -> None:
    plan = make_plan(GROK_1, EIGHT, SERVED)
    assert plan.fits
    assert plan.mesh == (1, 8)
    assert plan.weights_bytes_per_device == pytest.approx(318.2e9 / 8, rel=0.01)
    cache = 8 * 8192 * 2 * 64 * 8 * 128 * 2  # slots, tokens, keys and values, layers, heads, size
    assert plan.cache_bytes_per_device == pytest.approx(cache / 8, rel=0.01)


def test_sixteen_devices_hold_key_value_heads_twice() -> None:
    setup = Setup((1, 8), 8, 8192, "bfloat16")
    eight = needs(GROK_1, setup, EIGHT)
    sixteen = needs(GROK_1, replace(setup, mesh=(1, 16)), EIGHT)
    assert sixteen.cache == eight.cache  # one head each, in both
    assert 2 * sixteen.weights > eight.weights
    plan = make_plan(GROK_1, replace(EIGHT, devices=16), SERVED)
    assert "2 devices to a key/value head" in plan.reasons[0]


@pytest.mark.parametrize("mesh", [(1, 1), (1, 2), (1, 8), (2, 4)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_and_cache_are_those_of_a_real_load(mini: Path, mesh, dtype: str) -> None:
    checkpoint, device_mesh = open_checkpoint(mini), make_mesh(mesh)
    params = load_parameters(checkpoint, device_mesh, dtype)
    runner = Runner(checkpoint.config, params, device_mesh, dtype, 4, 256)
    need = needs(checkpoint.config, Setup(mesh, 4, 256, dtype), this_machine())
    for tree, planned in ((params, need.weights), (runner.slots, need.cache)):
        shards = [leaf.addressable_shards for leaf in jax.tree.leaves(tree)]
        for device in device_mesh.devices.flat:
            held = [s.data.nbytes for parts in shards for s in parts if s.device == device]
            assert sum(held) == pytest.approx(planned, rel=0.01)


def temporary(program: Any) -> int:
    """Bytes that a compiled program takes beside its arguments and results."""
    return program.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_working_space_is_that_of_the_compiled_programs(mini: Path, dtype: str) -> None:
    checkpoint, device_mesh = open_checkpoint(mini), make_mesh((1, 2))
    params = load_parameters(checkpoint, device_mesh, dtype)
    runner = Runner(checkpoint.config, params, device_mesh, dtype, 32, 256)
    keep = np.ones(32, bool)
    step = runner._programs["decode"].lower(params, runner.slots, keep, np.int32(1)).compile()
    setup = Setup((1, 2), 32, 256, dtype)
    for scored in (1, 4):
        scorer = Scorer(runner, scored)
        cache = sum(a.nbytes for a in jax.tree.leaves(scorer.empty_cache())) / 2  # a device's
        logits = 4 * scored * CHUNK * checkpoint.config.vocab_size
        scoring = max(temporary(scorer._program), temporary(scorer._scores)) + logits + cache
        taken = max(temporary(step), scoring)
        need = needs(checkpoint.config, replace(setup, scored=scored), this_machine())
        assert need.workspace / 4 < taken < 1.1 * need.workspace


def test_as_many_texts_are_scored_side_by_side_as_memory_is_left_for() -> None:
    plan = make_plan(GROK_1, EIGHT, SERVED)
    assert plan.fits
    assert plan.scored_texts == 8
    tight = make_plan(GROK_1, replace(EIGHT, memory=read_bytes("49GB")), SERVED)
    assert tight.fits
    assert tight.scored_texts == 4
    several = needs(
        GROK_1, Setup((1, 8), 8, 8192, "bfloat16", scored=tight.scored_texts), EIGHT
    ).total
    assert several <= 0.92 * read_bytes("49GB")


def test_what_does_not_fit_says_the_nearest_that_does() -> None:
    small = replace(EIGHT, memory=read_bytes("46GB"))
    plan = make_plan(GROK_1, small, replace(SERVED, slots=16))
    assert not plan.fits
    told = next(reason for reason in plan.reasons if "nearest" in reason)
    for way in ("--slots", "--context", "such devices", "GB a device"):
        assert way in told
    slots = int(told.split("--slots ")[1].split(",")[0])
    context = int(told.split("--context ")[1].split(",")[0])
    devices = int(told.split("on ")[1].split(" such")[0])
    assert make_plan(GROK_1, small, replace(SERVED, slots=slots)).fits
    assert not make_plan(GROK_1, small, replace(SERVED, slots=slots + 1)).fits
    assert make_plan(GROK_1, small, replace(SERVED, slots=16, context=context)).fits
    assert not make_plan(GROK_1, small, replace(SERVED, slots=16, context=context + 256)).fits
    assert make_plan(GROK_1, replace(small, devices=devices), replace(SERVED, slots=16)).fits


def test_where_no_single_change_does_several_are_named() -> None:
    laptop = Machine(1, 20 * GIB, "cpu", "cpu")
    on_cpu = replace(SERVED, dtype="float32", saved=8)
    plan = make_plan(GROK_1, laptop, on_cpu)
    told = next(reason for reason in plan.reasons if "nearest" in reason)
    on_eight = read_bytes(re.findall(r"on 8 devices of ([\d.]+ GB)", told)[0])
    eight = replace(laptop, devices=8)
    assert make_plan(GROK_1, replace(eight, memory=on_eight), on_cpu).fits
    assert not make_plan(GROK_1, replace(eight, memory=int(on_eight * 0.99)), on_cpu).fits
    frugal = re.findall(r"with --slots 1 --saved 0 --context 256 on 1 of ([\d.]+ GB)", told)[0]
    alone = replace(laptop, memory=read_bytes(frugal))
    assert make_plan(GROK_1, alone, replace(on_cpu, slots=1, context=256, saved=0)).fits


def test_devices_that_do_not_divide_the_model_are_named() -> None:
    plan = make_plan(GROK_1, replace(EIGHT, devices=12), SERVED)
    assert plan.mesh == (1, 8)
    assert "4 idle" in plan.reasons[0]


def test_the_machine_is_looked_at() -> None:
    machine = this_machine()
    assert machine.devices == len(jax.devices())
    assert machine.memory == pytest.approx(host_memory() / 8, rel=0.2)
    assert host_memory() > 2**28


def memory_with(folder: Path, own: str, groups: dict[str, tuple[int | str, int]]) -> int:
    """What is free of 1 GiB for a process whose /proc/self/cgroup is `own`; a group's files are
    as the kernel writes them: its limit, what it uses, and 100 bytes of that cached."""
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 1048576 kB\n")
    (folder / "proc" / "self" / "cgroup").write_text(own)
    for name, (limit, used) in groups.items():
        group, first = folder / "groups" / name, name.startswith("memory")
        group.mkdir(parents=True, exist_ok=True)
        files = ("limit_in_bytes", "usage_in_bytes") if first else ("max", "current")
        for file, number in zip(files, (limit, used), strict=True):
            (group / f"memory.{file}").write_text(f"{number}\n")
        own_and_all = "active_file 7\ntotal_active_file 40\ntotal_inactive_file 60\n"
        cached = own_and_all if first else "active_file 40\ninactive_file 60\n"
        (group / "memory.stat").write_text(cached)
    return host_memory(folder / "proc", folder / "groups")


SECOND, FIRST = "0::/a/b\n", "9:cpu:/x\n4:memory:/a/b\n0::/\n"


@pytest.mark.parametrize(
    ("own", "groups", "free"),
    [
        (SECOND, {}, GIB),
        (SECOND, {"a/b": (5000, 3000)}, 2100),
        (SECOND, {"a": (5000, 3000), "a/b": ("max", 2000)}, 2100),
        (SECOND, {"a": (5000, 4000), "a/b": (5000, 3000)}, 1100),
        (SECOND, {".": (5000, 3000)}, 2100),  # a container that sees its group as the root
        (SECOND, {"a": (5000, 5100)}, 0),
        (SECOND, {"a": (5000, 6000)}, 0),
        (SECOND, {"a": (2 * GIB, 0)}, GIB),
        (FIRST, {"memory/a/b": (5000, 3000), "memory": (2**63 - 4096, 9000)}, 2100),
        (FIRST, {"memory": (5000, 3000)}, 2100),
    ],
)
def test_the_limits_of_containers_are_heeded(tmp_path: Path, own: str, groups, free: int) -> None:
    assert memory_with(tmp_path, own, groups) == free


@pytest.mark.parametrize(
    ("text", "count"),
    [("80GiB", 80 * GIB), ("80GB", 80 * 10**9), ("80g", 80 * 10**9), ("1.5 TiB", 1.5 * 2**40)],
)
def test_sizes_of_memory(text: str, count: float) -> None:
    assert read_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GB", "80", "80X", "-1GB", "0GB", "80 80"])
def test_what_is_no_size_of_memory(text: str) -> None:
    with pytest.raises(SettingsError, match="80GiB"):
        read_bytes(text)


def test_loading_refuses_with_the_plans_words(grok_1: Path) -> None:
    if host_memory() > 300e9:
        pytest.skip("this machine could hold Grok-1")
    with pytest.raises(SettingsError, match=r"does not fit .* weights 318.2 GB, cache 34.4 GB"):
        grok_app.load(grok_1, EngineOptions(mesh=(1, 1)))


def test_loading_refuses_slots_that_the_mesh_does_not_divide(mini: Path) -> None:
    with pytest.raises(SettingsError, match="3 slots cannot be divided over 2 devices"):
        grok_app.load(mini, EngineOptions(mesh=(2, 4), slots=3))


def test_a_plan_makes_no_array() -> None:
    before = len(jax.live_arrays())
    make_plan(GROK_1, EIGHT, SERVED)
    assert len(jax.live_arrays()) == before


MACHINES = {  # the README's name for each, its devices, what they compute in
    "8 GPUs of 80 GB": (8, "bfloat16"),
    "4 GPUs of 192 GB": (4, "bfloat16"),
    "8 GPUs of 141 GB": (8, "bfloat16"),
    "a TPU slice, 16 chips of 32 GB": (16, "bfloat16"),
    "a CPU server, 400 GB, `--dtype float32`": (1, "float32"),
}


def test_the_readmes_table_is_what_plan_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, (devices, dtype) in MACHINES.items():
        memory = re.findall(r"\d+ GB", name)[0]
        machine = Machine(devices, read_bytes(memory), "", "as given")
        plan = make_plan(GROK_1, machine, EngineOptions(dtype=dtype, slots=8, saved=8))
        parts = (
            plan.weights_bytes_per_device,
            plan.cache_bytes_per_device,
            plan.workspace_bytes_per_device,
        )
        cells = [name, f"{plan.mesh[0]},{plan.mesh[1]}", *map(gigabytes, (*parts, sum(parts)))]
        assert f"| {' | '.join(cells)} | {'fits' if plan.fits else 'does not fit'} |" in readme

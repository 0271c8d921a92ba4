"""From a folder to a serving engine."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
from jax.sharding import Mesh

from grok_app import kernels
from grok_app.checkpoint.fingerprint import fingerprint
from grok_app.checkpoint.folder import open_checkpoint, read_config
from grok_app.checkpoint.load import load_parameters
from grok_app.checkpoint.machine import this_machine
from grok_app.checkpoint.plan import MemoryPlan, default_dtype, make_plan
from grok_app.engine.channel import Follower, Leader
from grok_app.engine.cluster import Cluster
from grok_app.engine.engine import Engine
from grok_app.engine.memory import explained
from grok_app.engine.runner import Runner
from grok_app.engine.tokenizer import Tokenizer
from grok_app.errors import CheckpointError, SettingsError
from grok_app.model.config import GrokConfig
from grok_app.model.sharding import default_mesh_shape, make_mesh, shard_of

log = logging.getLogger(__name__)

DTYPES = ("float32", "bfloat16")
_LOSS_SECONDS = 5.0  # in which the channel ends this process where another one is lost


def load(
    path: str | Path,
    mesh: tuple[int, int] | None = None,
    dtype: str | None = None,
    slots: int = 8,
    context: int | None = None,
    queue: int = 64,
    saved: int = 8,
    native: bool = True,
    cluster: Cluster | None = None,
) -> Engine:
    """Loads a model and starts an engine that serves it.

    Args:
        path: a folder with ckpt-0/, tokenizer.model and config.json. Without config.json it is
            Grok-1; without tokenizer.model it serves token ids only.
        mesh: devices on (data, model). None: as many on "model" as divide the model.
        dtype: of the activations, "float32" or "bfloat16". None: float32 on a CPU, where it
            is faster; else bfloat16.
        slots: conversations served at once.
        context: most tokens of a conversation. None: the model's.
        queue: requests that may wait for a slot.
        saved: conversations beyond the slots whose keys and values are kept, so that their next
            turn need not read them again.
        native: on a CPU, compile a kernel for it if there is a C++ compiler.
        cluster: the processes that serve together; this is their process 0, and ends with an
            error when another one does.

    Raises:
        CheckpointError: files are missing, damaged or do not fit one another.
        SettingsError: an argument is out of range, the mesh does not fit, or the model does not
            fit in memory.
    """
    leader = cluster.join() if cluster else None
    assert not isinstance(leader, Follower)
    folder = Path(path)
    settings = mesh, dtype, slots, context, queue, saved, native
    with _failing_together(leader):
        runner, tokenizer, plan, made_of = _prepare(folder, *settings)
        length = context or runner.config.sequence_len
        with explained(plan):
            name = folder.resolve().name
            return Engine(runner, tokenizer, name, made_of, length, queue, plan, leader)


def follow(
    path: str | Path,
    cluster: Cluster,
    mesh: tuple[int, int] | None = None,
    dtype: str | None = None,
    slots: int = 8,
    context: int | None = None,
    queue: int = 64,
    saved: int = 8,
    native: bool = True,
) -> None:
    """Takes part in a cluster as another process than 0: returns when process 0 closes.

    The arguments are those that process 0 gave to `load`. This process ends with an error when
    another one does.

    Raises:
        CheckpointError, SettingsError: as `load`.
    """
    follower = cluster.join()
    assert isinstance(follower, Follower)
    settings = mesh, dtype, slots, context, queue, saved, native
    with _failing_together(follower):
        runner, _, plan, _ = _prepare(Path(path), *settings)
        with explained(plan):
            runner.follow(follower)


@contextmanager
def _failing_together(end: Leader | Follower | None) -> Iterator[None]:
    """Closes this process's end of the channel where it fails within, so that the others end too:
    as long as its heart beats, they wait for it."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, jax.errors.JaxRuntimeError) and end:
            time.sleep(_LOSS_SECONDS)  # it may be for want of another: the channel says of which
        if isinstance(end, Leader):
            end.close(f"process 0 cannot go on: {error}")
        elif end:
            end.close()
        raise


def _prepare(
    folder: Path,
    mesh: tuple[int, int] | None,
    dtype: str | None,
    slots: int,
    context: int | None,
    queue: int,
    saved: int,
    native: bool,
) -> tuple[Runner, Tokenizer | None, MemoryPlan, str]:
    """The model on its devices, once all is checked that can be; and its fingerprint."""
    config = read_config(folder)
    _check(config, dtype, slots, context, queue, saved)
    device_mesh = make_mesh(mesh or default_mesh_shape(config, len(jax.devices())))
    shard_of(config, device_mesh.shape["model"])
    if jax.process_count() > 1 and device_mesh.size < len(jax.devices()):
        data, model = device_mesh.devices.shape
        raise SettingsError(
            f"mesh {data},{model} leaves devices idle; several processes must use all of theirs, "
            f"{len(jax.devices())} together: give --mesh {len(jax.devices()) // model},{model}, "
            "or each process fewer devices"
        )
    kind = dtype or default_dtype(device_mesh.devices.flat[0].platform)
    length = context or config.sequence_len
    checkpoint = open_checkpoint(folder)
    plan = _check_memory(config, device_mesh, slots, length, kind, saved)
    tokenizer, made_of = _tokenizer(folder, config), fingerprint(checkpoint)
    on_processor = device_mesh.devices.flat[0].platform == "cpu"
    if on_processor and kind != default_dtype("cpu"):
        log.warning("%s on a CPU is many times slower than %s", kind, default_dtype("cpu"))
    native = native and on_processor and kernels.build(cache_folder() / "kernels")
    _remember_compilations(cache_folder() / "xla")
    with explained(plan):
        params = load_parameters(checkpoint, device_mesh)
        runner = Runner(config, params, device_mesh, kind, slots, length, saved, native)
    return runner, tokenizer, plan, made_of


def _check(
    config: GrokConfig, dtype: str | None, slots: int, context: int | None, queue: int, saved: int
) -> None:
    if dtype is not None and dtype not in DTYPES:
        raise SettingsError(f"dtype is {dtype!r}; expected one of {', '.join(DTYPES)}")
    if slots < 1:
        raise SettingsError(f"slots is {slots}; expected at least 1")
    if saved < 0:
        raise SettingsError(f"saved is {saved}; expected 0 or more")
    if queue < 0:
        raise SettingsError(f"queue is {queue}; expected 0 or more")
    if context is not None and not 2 <= context <= config.sequence_len:
        raise SettingsError(
            f"context is {context}; expected 2 to {config.sequence_len}, the model's own"
        )


def _check_memory(
    config: GrokConfig, mesh: Mesh, slots: int, context: int, dtype: str, saved: int
) -> MemoryPlan:
    """The plan; refuses what would run out of memory, before minutes are spent on loading it."""
    machine = this_machine(list(mesh.devices.flat))
    plan = make_plan(config, machine, slots, context, dtype, mesh.devices.shape, saved)
    if not plan.fits:
        raise SettingsError("the model does not fit this machine: " + "; ".join(plan.reasons))
    return plan


def _tokenizer(folder: Path, config: GrokConfig) -> Tokenizer | None:
    path = folder / "tokenizer.model"
    if not path.exists():
        return None
    tokenizer = Tokenizer(path)
    if tokenizer.vocab_size > config.vocab_size:
        raise CheckpointError(
            f"{path} has {tokenizer.vocab_size} pieces, but the model's vocabulary has "
            f"{config.vocab_size}: it belongs to another model"
        )
    return tokenizer


def cache_folder() -> Path:
    """Where compiled things are kept from one start to the next."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "grok_app"


def _remember_compilations(folder: Path) -> None:
    """Lets JAX keep compiled programs on disk, so that the next start is quick."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)

"""From a folder to a serving engine."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import jax
from jax.sharding import Mesh

from grok_app.checkpoint.devices import devices, overlooked_gpus
from grok_app.checkpoint.fingerprint import fingerprint
from grok_app.checkpoint.folder import open_checkpoint, read_config
from grok_app.checkpoint.load import load_parameters
from grok_app.checkpoint.machine import this_machine
from grok_app.checkpoint.plan import MemoryPlan, default_dtype, make_plan, setup_of
from grok_app.engine.channel import Follower, Leader
from grok_app.engine.cluster import Cluster
from grok_app.engine.engine import Engine
from grok_app.engine.memory import explained
from grok_app.engine.platform import platform_of
from grok_app.engine.runner import Runner
from grok_app.engine.tokenizer import Tokenizer
from grok_app.errors import CheckpointError, SettingsError
from grok_app.model.config import GrokConfig
from grok_app.model.sharding import default_mesh_shape, make_mesh, shard_of
from grok_app.options import EngineOptions

log = logging.getLogger(__name__)

_LOSS_SECONDS = 5.0  # in which the channel ends this process where another one is lost


def load(
    path: str | Path,
    options: EngineOptions = EngineOptions(),
    cluster: Cluster | None = None,
) -> Engine:
    """Loads a model and starts an engine that serves it.

    Args:
        path: a folder with ckpt-0/, tokenizer.model and config.json. Without config.json it is
            Grok-1; without tokenizer.model it serves token ids only.
        options: how it serves.
        cluster: the processes that serve together; this is their process 0, and ends with an
            error when another one does.

    Raises:
        CheckpointError: files are missing, damaged or do not fit one another.
        SettingsError: an option does not suit the model or the machine, or the model does not fit
            in memory.
    """
    leader = cluster.join() if cluster else None
    assert not isinstance(leader, Follower)
    folder = Path(path)
    with _failing_together(leader):
        runner, tokenizer, plan, made_of = _prepare(folder, options)
        with explained(plan):
            name = folder.resolve().name
            return Engine(runner, tokenizer, name, made_of, options.queue, plan, leader)


def follow(path: str | Path, options: EngineOptions, cluster: Cluster) -> None:
    """Takes part in a cluster as another process than 0: returns when process 0 closes.

    `path` and `options` are those that process 0 gave to `load`. This process ends with an error
    when another one does.

    Raises:
        CheckpointError, SettingsError: as `load`.
    """
    follower = cluster.join()
    assert isinstance(follower, Follower)
    with _failing_together(follower):
        runner, _, plan, _ = _prepare(Path(path), options)
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
    folder: Path, options: EngineOptions
) -> tuple[Runner, Tokenizer | None, MemoryPlan, str]:
    """The model on its devices, once all is checked that can be; and its fingerprint."""
    config = read_config(folder)
    mesh = _mesh(config, options)
    options = replace(options, mesh=mesh.devices.shape)
    machine = this_machine(list(mesh.devices.flat))
    setup, plan = setup_of(config, machine, options), make_plan(config, machine, options)
    checkpoint = open_checkpoint(folder)
    if not plan.fits:  # before minutes are spent on loading it
        raise SettingsError("the model does not fit this machine: " + "; ".join(plan.reasons))
    tokenizer, made_of = _tokenizer(folder, config), fingerprint(checkpoint)
    on_processor = machine.platform == "cpu"
    if on_processor and (note := overlooked_gpus()):
        log.warning("%s", note)
    if on_processor and setup.dtype != default_dtype("cpu"):
        log.warning("%s on a CPU is many times slower than %s", setup.dtype, default_dtype("cpu"))
    _remember_compilations(cache_folder() / "xla")
    device, compiled = mesh.devices.flat[0], cache_folder() / "kernels"
    platform = platform_of(device, options.kernels, compiled, setup.dtype)
    with explained(plan):
        params = load_parameters(checkpoint, mesh, setup.dtype)
        sizes = setup.dtype, setup.slots, setup.context, setup.saved
        runner = Runner(config, params, mesh, *sizes, platform)
    return runner, tokenizer, plan, made_of


def _mesh(config: GrokConfig, options: EngineOptions) -> Mesh:
    """The mesh that is asked for, or the one that suits the model."""
    many = len(devices())
    mesh = make_mesh(options.mesh or default_mesh_shape(config, many))
    shard_of(config, mesh.shape["model"])
    if jax.process_count() > 1 and mesh.size < many:
        data, model = mesh.devices.shape
        raise SettingsError(
            f"mesh {data},{model} leaves devices idle; several processes must use all of theirs, "
            f"{many} together: give --mesh {many // model},{model}, or each process fewer "
            "devices"
        )
    return mesh


def _tokenizer(folder: Path, config: GrokConfig) -> Tokenizer | None:
    path = folder / "tokenizer.model"
    if not os.path.lexists(path):
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

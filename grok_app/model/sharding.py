"""How a model is divided over a mesh of devices.

The mesh has two axes. Over "model" every block is divided by heads, by expert columns and by
vocabulary, so that a device computes a narrower model and two sums a layer make it whole. Over
"data" the slots are divided; weights are copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from grok_app.errors import SettingsError
from grok_app.model.config import SCALE_GROUPS, GrokConfig
from grok_app.model.parameters import Parameter, parameters
from grok_app.model.weights import QuantizedWeight

DATA, MODEL = "data", "model"


@dataclass(frozen=True)
class Shard:
    """The widths of the narrower model that one device of `devices` on "model" computes."""

    devices: int
    query_heads: int
    kv_heads: int
    ffn: int
    vocabulary: int


def shard_of(config: GrokConfig, devices: int) -> Shard:
    """The part of one device.

    Raises:
        SettingsError: the model cannot be divided by `devices`; the message says what would do.
    """
    if not _divides(config, devices):
        raise SettingsError(
            f"a mesh with {devices} devices on its model axis does not divide this model of "
            f"{config.num_q_heads} query heads, {config.num_kv_heads} key/value heads, expert "
            f"width {config.ffn_size} and vocabulary {config.vocab_size}; model axes that do: "
            f"{', '.join(map(str, model_axes(config)))}"
        )
    return Shard(
        devices,
        config.num_q_heads // devices,
        max(1, config.num_kv_heads // devices),
        config.ffn_size // devices,
        config.vocab_size // devices,
    )


def model_axes(config: GrokConfig) -> list[int]:
    """How many devices on "model" divide the model."""
    return [n for n in range(1, config.num_q_heads + 1) if _divides(config, n)]


def _divides(config: GrokConfig, devices: int) -> bool:
    heads = config.num_kv_heads
    widths = (config.num_q_heads, config.ffn_size, config.vocab_size)
    rows = (config.ffn_size, config.num_q_heads * config.key_size)
    return (
        devices > 0
        and all(width % devices == 0 for width in widths)
        and (heads % devices == 0 or devices % heads == 0)
        and (SCALE_GROUPS % devices == 0 or devices % SCALE_GROUPS == 0)
        and all(row % max(devices, SCALE_GROUPS) == 0 for row in rows)
    )


def default_mesh_shape(config: GrokConfig, devices: int) -> tuple[int, int]:
    """All devices on "model", or as many as divide the model."""
    return 1, max(n for n in model_axes(config) if n <= devices)


def make_mesh(shape: tuple[int, int]) -> Mesh:
    """A (data, model) mesh over the first devices there are.

    Raises:
        SettingsError: there are fewer devices than the shape asks for.
    """
    devices = jax.devices()
    wanted = shape[0] * shape[1]
    if wanted > len(devices):
        raise SettingsError(
            f"mesh {shape[0]},{shape[1]} needs {wanted} devices but this machine has "
            f"{len(devices)}; meshes that fit: {_fitting(len(devices))}"
        )
    return Mesh(np.array(devices[:wanted]).reshape(shape), (DATA, MODEL))


def _fitting(devices: int) -> str:
    pairs = [(data, devices // data) for data in range(1, devices + 1) if devices % data == 0]
    return ", ".join(f"{data},{model}" for data, model in pairs)


@dataclass(frozen=True)
class Division:
    """How an array of one layer is divided over the devices on "model".

    Attributes:
        axis: the axis that is divided, counted from the end; None if each device has the whole.
        devices: how many there are.
        copies: neighbouring devices that hold the same part: where there are more devices than
            key/value heads, or than scale groups.
    """

    axis: int | None
    devices: int
    copies: int = 1

    def part(self, shape: tuple[int, ...], device: int) -> slice:
        """What `device` holds of the divided axis of an array of `shape`."""
        assert self.axis is not None
        width = shape[self.axis] * self.copies // self.devices
        start = device // self.copies * width
        return slice(start, start + width)

    def part_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one device's part of an array of `shape`."""
        return self._scaled(shape, self.copies, self.devices)

    def placed_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the array that all devices hold together, every copy counted."""
        return self._scaled(shape, self.copies, 1)

    def _scaled(self, shape: tuple[int, ...], times: int, over: int) -> tuple[int, ...]:
        if self.axis is None:
            return shape
        axis = len(shape) + self.axis
        return (*shape[:axis], shape[axis] * times // over, *shape[axis + 1 :])


def weight_division(parameter: Parameter, devices: int) -> Division:
    """How a parameter's array, or the int8 part of it, is divided over `devices` on "model"."""
    heads = parameter.copies_with or devices
    return Division(parameter.sharded, devices, max(1, devices // heads))


def scales_division(parameter: Parameter, devices: int) -> Division:
    """How a matrix' scales are divided, so that each device has those of its own rows."""
    if parameter.sharded == -2:
        assert parameter.groups is not None
        return Division(-2, devices, max(1, devices // parameter.groups))
    return weight_division(parameter, devices)


def partition(ndim: int, axis: int | None) -> PartitionSpec:
    """The spec of an array of `ndim` axes whose `axis` (from the end) is divided over "model"."""
    spec: list[str | None] = [None] * ndim
    if axis is not None:
        spec[axis] = MODEL
    return PartitionSpec(*spec)


def parameter_specs(config: GrokConfig) -> dict[str, dict[str, Any]]:
    """PartitionSpecs of the whole parameter tree, {module: {name: spec}}."""
    specs: dict[str, dict[str, Any]] = {}
    for p in parameters(config):
        ndim = len(p.shape) + p.layered
        spec = partition(ndim, p.sharded)
        whole = spec if p.groups is None else QuantizedWeight(spec, spec)  # type: ignore[arg-type]
        specs.setdefault(p.module, {})[p.name] = whole
    return specs

"""The norms between the blocks, with the sums that stand beside them, a kernel each.

R rows, D model width, L layers. A norm is x / sqrt(mean(x^2) + epsilon) * scale (arXiv 1910.07467).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from grok_app.kernels.gpu.tiles import Span, load_row, span, store_row


def norm(
    x: Array, scale: Array, layer: Array, epsilon: float, dtype: Any, interpret: bool
) -> Array:
    """The norm of x float32 [R, D] with the scale at `layer` of [L, D], rounded to `dtype`."""
    out = jax.ShapeDtypeStruct(x.shape, dtype)
    return _call(_norm, "norm", epsilon, interpret, out, layer, x, scale)


def add_norm(
    h: Array, out: Array, scale: Array, layer: Array, epsilon: float, interpret: bool
) -> Array:
    """h + norm(out), all float32 [R, D]."""
    made = jax.ShapeDtypeStruct(h.shape, h.dtype)
    return _call(_add_norm, "add_norm", epsilon, interpret, made, layer, h, out, scale)


def add_norm_norm(
    h: Array,
    out: Array,
    scale: Array,
    next_scale: Array,
    layer: Array,
    epsilon: float,
    interpret: bool,
) -> tuple[Array, Array]:
    """h + norm(out), and the norm of that with the other scale."""
    made = [jax.ShapeDtypeStruct(h.shape, h.dtype)] * 2
    given = layer, h, out, scale, next_scale
    return tuple(_call(_add_norm_norm, "add_norm_norm", epsilon, interpret, made, *given))


def _call(kernel: Any, name: str, epsilon: float, interpret: bool, made: Any, *given: Array) -> Any:
    """One program for each row."""
    return pl.pallas_call(
        partial(kernel, epsilon=epsilon),
        grid=(len(given[1]),),
        out_shape=made,
        compiler_params=triton.CompilerParams(num_warps=8),
        interpret=interpret,
        name=name,
    )(*given)


def _norm(layer: Any, x: Any, scale: Any, out: Any, *, epsilon: float) -> None:
    row, across = pl.program_id(0), _across(x)
    made = _normed(load_row(x, (row,), across), scale, layer, across, epsilon)
    store_row(out, (row,), across, made)


def _add_norm(layer: Any, h: Any, out: Any, scale: Any, new_h: Any, *, epsilon: float) -> None:
    row, across = pl.program_id(0), _across(h)
    made = _normed(load_row(out, (row,), across), scale, layer, across, epsilon)
    store_row(new_h, (row,), across, load_row(h, (row,), across) + made)


def _add_norm_norm(
    layer: Any, h: Any, out: Any, scale: Any, next_scale: Any, new_h: Any, x: Any, *, epsilon: float
) -> None:
    row, across = pl.program_id(0), _across(h)
    made = _normed(load_row(out, (row,), across), scale, layer, across, epsilon)
    total = load_row(h, (row,), across) + made
    store_row(new_h, (row,), across, total)
    store_row(x, (row,), across, _normed(total, next_scale, layer, across, epsilon))


def _across(x: Any) -> Span:
    return span(0, pl.next_power_of_2(x.shape[-1]), x.shape[-1])


def _normed(x: Array, scale: Any, layer: Any, across: Span, epsilon: float) -> Array:
    """The norm of one row; places beyond its end hold zeros."""
    mean = jnp.sum(x * x) / scale.shape[-1]
    return x * lax.rsqrt(mean + epsilon) * load_row(scale, (layer[()],), across)

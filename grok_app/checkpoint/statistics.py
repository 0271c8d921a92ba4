"""What people study in open weights: how many of each kind, how large, how scaled.

K rows, N columns, G scale groups, E experts, D model width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grok_app.checkpoint.folder import Checkpoint
from grok_app.checkpoint.stored import StoredArray, StoredTensor
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import Parameter, parameters

_PIECE = 4 * 1024 * 1024  # numbers that are widened at once

KINDS = ("embeddings", "attention", "experts", "router", "norms")


def kind_of(parameter: Parameter) -> str:
    """Which of `KINDS` a parameter is."""
    marks = ("in_out_embed", "multi_head_attention", "moe", "router", "rms_norm")
    return next(kind for kind, mark in zip(KINDS, marks, strict=True) if mark in parameter.module)


def counts(config: GrokConfig) -> dict[str, int]:
    """Parameters of each kind, scales not counted."""
    found = dict.fromkeys(KINDS, 0)
    for p in parameters(config):
        layers = config.num_layers if p.layered else 1
        found[kind_of(p)] += math.prod(p.shape) * layers
    return found


@dataclass(frozen=True)
class Spread:
    """Least, median, and largest of some numbers."""

    low: float
    median: float
    high: float


def spread(array: np.ndarray) -> Spread:
    """The spread of an array's numbers."""
    numbers = array.astype(np.float32)
    return Spread(float(numbers.min()), float(np.median(numbers)), float(numbers.max()))


@dataclass(frozen=True)
class TensorStatistics:
    """What there is to know of one file.

    Attributes:
        name: the tensor's.
        tensor: its header.
        scales: the spread of a quantized matrix' scales.
        norms: Frobenius norms of the real-valued matrix: of an expert matrix one for each expert,
            of a router one for each column, else one.
    """

    name: str
    tensor: StoredTensor
    scales: Spread | None
    norms: tuple[float, ...]


def statistics(checkpoint: Checkpoint, layer: int | None = None) -> Iterator[TensorStatistics]:
    """The statistics of each file in the order of the files; of one layer only, if given.

    Every number is read once, a few MB at a time.
    """
    for (parameter, number), tensor in checkpoint.tensors.items():
        if layer is not None and (number != layer or not parameter.layered):
            continue
        yield TensorStatistics(
            "/".join(parameter.path(number)),
            tensor,
            None if tensor.scales is None else spread(tensor.scales.view()),
            tuple(_norms(tensor, by_column=kind_of(parameter) == "router")),
        )


def _norms(tensor: StoredTensor, by_column: bool) -> list[float]:
    array = tensor.weight
    if by_column:
        return np.linalg.norm(array.view(), axis=0).tolist()
    if tensor.scales is None:
        return [math.sqrt(sum(float(np.vdot(part, part)) for part in _pieces(array)))]
    if len(array.shape) == 2:
        return [_quantized_norm(array, tensor.scales)]
    return [
        _quantized_norm(array.part(expert), tensor.scales.part(expert))
        for expert in range(array.shape[0])
    ]


def _quantized_norm(weight: StoredArray, scales: StoredArray) -> float:
    """Norm of a matrix [K, N] with scales [G, N]: its columns' squares, times the scales'."""
    groups = scales.shape[0]
    group = weight.shape[0] // groups
    total = 0.0
    for index, scale in enumerate(scales.view().astype(np.float64)):
        squares = np.zeros(weight.shape[1])
        for piece in _pieces(weight.rows(index * group, (index + 1) * group)):
            squares += np.einsum("kn,kn->n", piece, piece)
        total += float(squares @ scale**2)
    return math.sqrt(total)


def _pieces(array: StoredArray) -> Iterator[np.ndarray]:
    """An array's rows as float32, a few at a time; the file is unmapped again after each."""
    rows = max(1, _PIECE * array.shape[0] // math.prod(array.shape))
    for start in range(0, array.shape[0], rows):
        part = array.rows(start, min(start + rows, array.shape[0]))
        yield part.view().astype(np.float32)

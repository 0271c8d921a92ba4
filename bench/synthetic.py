"""Checkpoints in the released form, of any size, that no training made."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np

from grok_app.checkpoint.stored import StoredWeight
from grok_app.checkpoint.tensor_writer import dump_tensor
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import Parameter, file_order

_HOLE = 64 * 1024  # longer runs of zeros take no room on the disk


class _Sparse(io.FileIO):
    """A file that leaves out what is long, which must be zeros."""

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        if view.nbytes < _HOLE:
            return super().write(view)
        self.seek(view.nbytes, io.SEEK_CUR)
        return view.nbytes


def write_random(folder: Path, config: GrokConfig, seed: int = 0) -> None:
    """A checkpoint of random weights, scaled as a trained model's are."""
    rng = np.random.default_rng(seed)

    def tensor(p: Parameter) -> np.ndarray | StoredWeight:
        if p.groups is None:
            noise = rng.standard_normal(p.shape, np.float32)
            return noise + 1 if p.name == "scale" else noise * np.float32(0.02)
        weight = rng.integers(-127, 128, p.shape, np.int8)
        scale = 1 / 73 / p.shape[-2] ** 0.5  # 73: how far from zero such integers are
        return StoredWeight(weight, np.full(p.scales_shape, scale, ml_dtypes.bfloat16))

    _write(folder, config, tensor, io.FileIO)


def write_sparse(folder: Path, config: GrokConfig) -> None:
    """A checkpoint whose large arrays are zeros, and holes on the disk: Grok-1 takes some MB."""

    def tensor(p: Parameter) -> np.ndarray | StoredWeight:
        if p.groups is None:
            return np.zeros(p.shape, np.float32)
        scales = np.zeros(p.scales_shape, ml_dtypes.bfloat16)
        return StoredWeight(np.zeros(p.shape, np.int8), scales)

    _write(folder, config, tensor, _Sparse)


def _write(
    folder: Path,
    config: GrokConfig,
    tensor: Callable[[Parameter], np.ndarray | StoredWeight],
    opened: type[io.FileIO],
) -> None:
    (folder / "ckpt-0").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(dataclasses.asdict(config)))
    for number, (parameter, _) in enumerate(file_order(config)):
        with opened(folder / "ckpt-0" / f"tensor{number:05d}_000", "w") as file:
            dump_tensor(file, tensor(parameter))

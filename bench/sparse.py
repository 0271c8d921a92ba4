"""Checkpoints in the released form that take no room: what is large in them is a hole.

All 770 files of Grok-1, 318 GB to the byte, take 13 MB of the disk. Whatever reads only headers
can be tried on them.
"""

from __future__ import annotations

import io
from pathlib import Path

import ml_dtypes
import numpy as np

from grok_app.checkpoint.stored import StoredWeight
from grok_app.checkpoint.tensor_writer import dump_tensor
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import Parameter, file_order

_HOLE = 64 * 1024  # a run of zeros that is worth a hole


class _Sparse(io.FileIO):
    """A file that skips what is long, which must be zeros."""

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        if view.nbytes < _HOLE:
            return super().write(view)
        self.seek(view.nbytes, io.SEEK_CUR)
        return view.nbytes


def write_sparse(folder: Path, config: GrokConfig) -> None:
    """Writes the files of a model of zeros, without `config.json`: as Grok-1 comes."""
    (folder / "ckpt-0").mkdir(parents=True)
    for number, (parameter, _) in enumerate(file_order(config)):
        with _Sparse(folder / "ckpt-0" / f"tensor{number:05d}_000", "w") as file:
            dump_tensor(file, _zeros(parameter))


def _zeros(p: Parameter) -> np.ndarray | StoredWeight:
    if p.groups is None:
        return np.zeros(p.shape, np.float32)
    scales = np.zeros(p.scales_shape, ml_dtypes.bfloat16)
    return StoredWeight(np.zeros(p.shape, np.int8), scales)

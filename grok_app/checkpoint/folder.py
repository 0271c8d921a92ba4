"""What lies in a model's folder: `config.json`, `tokenizer.model`, a file a tensor in `ckpt-0`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grok_app.checkpoint.tensor_reader import StoredWeight, read_tensor
from grok_app.errors import CheckpointError
from grok_app.model.config import GROK_1, GrokConfig
from grok_app.model.parameters import Parameter, file_order


@dataclass(frozen=True)
class Checkpoint:
    """An opened folder: sizes, and a memory-mapped view of every tensor.

    Attributes:
        folder: where it lies.
        config: from `config.json`; a folder without one is Grok-1 itself.
        tensors: the content of every file, by parameter and layer.
        nbytes: bytes of all arrays.
    """

    folder: Path
    config: GrokConfig
    tensors: dict[tuple[Parameter, int], np.ndarray | StoredWeight]
    nbytes: int


def open_checkpoint(folder: Path) -> Checkpoint:
    """Opens a model's folder and checks name, count, types and shapes of all its tensors.

    Only headers are read; the payloads stay on the disk until they are used.

    Raises:
        CheckpointError: files are missing, damaged, or do not fit the config. The message names
            the file or tensor, what was found and what was expected.
    """
    config = read_config(folder)
    entries = file_order(config)
    paths = [folder / "ckpt-0" / f"tensor{number:05d}_000" for number in range(len(entries))]
    _check_present(folder, paths)
    tensors = {}
    for entry, path in zip(entries, paths, strict=True):
        tensors[entry] = tensor = read_tensor(path)
        _check_fits(tensor, *entry, path)
    return Checkpoint(folder, config, tensors, sum(p.nbytes for p, _ in entries))


def read_config(folder: Path) -> GrokConfig:
    """The sizes of the model in a folder.

    Raises:
        CheckpointError: there is no such folder, or its `config.json` is not one.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder; expected one with ckpt-0/, tokenizer.model and, unless "
            "it is Grok-1 itself, config.json"
        )
    path = folder / "config.json"
    if not path.exists():
        return GROK_1
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from error
    try:
        return GrokConfig.from_dict(values)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from None


def _check_present(folder: Path, paths: list[Path]) -> None:
    missing = [path.name for path in paths if not path.is_file()]
    if not missing:
        extra = [p.name for p in (folder / "ckpt-0").glob("tensor*") if p not in set(paths)]
        if extra:
            raise CheckpointError(
                f"{folder / 'ckpt-0'} has {len(extra)} files more than the {len(paths)} of its "
                f"config: {_some(sorted(extra))}; is config.json another model's?"
            )
        return
    hint = "" if (folder / "config.json").exists() else " (no config.json: this would be Grok-1)"
    raise CheckpointError(
        f"{folder / 'ckpt-0'} lacks {len(missing)} of {len(paths)} tensor files: "
        f"{_some(missing)}; copy them again{hint}"
    )


def _some(names: list[str], shown: int = 8) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def _check_fits(
    tensor: np.ndarray | StoredWeight, parameter: Parameter, layer: int, path: Path
) -> None:
    name = "/".join(parameter.path(layer))
    if parameter.groups is None:
        if not isinstance(tensor, np.ndarray) or tensor.dtype != np.float32:
            raise CheckpointError(f"{path}: {name} should be a float32 array")
        pairs = [("", tensor, parameter.shape)]
    else:
        if not isinstance(tensor, StoredWeight):
            raise CheckpointError(f"{path}: {name} should be an int8 weight with scales")
        pairs = [
            (" (weight)", tensor.weight, parameter.shape),
            (" (scales)", tensor.scales, parameter.scales_shape),
        ]
    for part, array, shape in pairs:
        if array.shape != shape:
            raise CheckpointError(
                f"{path}: {name}{part} has shape {array.shape}, but config.json makes it {shape}"
            )

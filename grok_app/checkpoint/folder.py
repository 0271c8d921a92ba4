"""What lies in a model's folder: `config.json`, `tokenizer.model`, a file a tensor in `ckpt-0`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grok_app.checkpoint.stored import StoredArray, StoredTensor
from grok_app.checkpoint.tensor_reader import read_header
from grok_app.errors import CheckpointError, shortened
from grok_app.files import read_whole
from grok_app.model.config import GROK_1, GrokConfig
from grok_app.model.parameters import Parameter, file_order

_LARGEST_CONFIG = 2**20  # bytes


@dataclass(frozen=True)
class Checkpoint:
    """An opened folder: sizes, and where every tensor lies.

    Attributes:
        folder: where it lies.
        config: from `config.json`; a folder without one is Grok-1 itself.
        tensors: the header of every file, by parameter and layer.
    """

    folder: Path
    config: GrokConfig
    tensors: dict[tuple[Parameter, int], StoredTensor]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(parameter.nbytes for parameter, _ in self.tensors)


@dataclass(frozen=True)
class Survey:
    """What was found in a folder, right and wrong.

    Attributes:
        checkpoint: of the files that are as they should be.
        missing: files that should be there, with the name of their tensor.
        extra: tensor files that the config knows nothing of.
        wrong: what is the matter with the others, a text each, which names the file.
    """

    checkpoint: Checkpoint
    missing: dict[Path, str]
    extra: list[Path]
    wrong: list[str]

    @property
    def problems(self) -> list[str]:
        """All that is wrong, a line each; empty where nothing is."""
        return [
            *(f"{path}: missing; it holds {name}" for path, name in self.missing.items()),
            *(f"{path}: belongs to no tensor of this model" for path in self.extra),
            *self.wrong,
        ]


def open_checkpoint(folder: Path) -> Checkpoint:
    """Opens a model's folder and checks name, count, types and shapes of all its tensors.

    Only headers are read; the payloads stay on the disk until they are used.

    Raises:
        CheckpointError: files are missing, damaged, or do not fit the config. The message names
            the file or tensor, what was found and what was expected.
    """
    found = survey(folder)
    if found.missing:
        grok_1 = not (folder / "config.json").exists()
        raise CheckpointError(
            f"{folder / 'ckpt-0'} lacks {len(found.missing)} of "
            f"{len(file_order(found.checkpoint.config))} tensor files: {_some(found.missing)}; "
            f"copy them again{' (no config.json: this would be Grok-1)' if grok_1 else ''}"
        )
    if found.extra:
        raise CheckpointError(
            f"{folder / 'ckpt-0'} has {len(found.extra)} files more than the "
            f"{len(file_order(found.checkpoint.config))} of its config: {_some(found.extra)}; "
            "is config.json another model's?"
        )
    if found.wrong:
        more = len(found.wrong) - 1
        rest = f" (and {more} more: `python -m grok_app verify {folder}` lists all)" if more else ""
        raise CheckpointError(found.wrong[0] + rest)
    return found.checkpoint


def survey(folder: Path) -> Survey:
    """Looks at every file a model's folder should have, reading only headers.

    Raises:
        CheckpointError: there is no such folder, it may not be entered, has no folder ckpt-0, or
            its `config.json` is not one.
    """
    config = read_config(folder)
    _check_entered(folder)
    entries = file_order(config)
    paths = [folder / "ckpt-0" / f"tensor{number:05d}_000" for number in range(len(entries))]
    found = Survey(Checkpoint(folder, config, {}), {}, [], [])
    found.extra.extend(sorted(set((folder / "ckpt-0").glob("tensor*")) - set(paths)))
    for entry, path in zip(entries, paths, strict=True):
        name = "/".join(entry[0].path(entry[1]))
        if not os.path.lexists(path):
            found.missing[path] = name
            continue
        if not path.is_file():
            found.wrong.append(f"{path}: a folder, or a link to nothing; expected {name}")
            continue
        try:
            tensor = read_header(path)
            _check_fits(tensor, entry[0], f"{path}: {name}")
        except CheckpointError as error:
            found.wrong.append(str(error))
        else:
            found.checkpoint.tensors[entry] = tensor
    return found


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
    try:
        if not os.path.lexists(path):
            os.stat(path.parent / ".")  # fails where the folder may not be entered
            return GROK_1
        values = json.loads(read_whole(path, _LARGEST_CONFIG).decode())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from error
    try:
        return GrokConfig.from_dict(values)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {shortened(str(error))}") from None


def _check_entered(folder: Path) -> None:
    inner = folder / "ckpt-0"
    try:
        os.listdir(inner)
        os.stat(inner / ".")
    except OSError as error:
        also = "; it seems to be ckpt-0 itself: give the folder above"
        raise CheckpointError(
            f"{inner}: cannot be entered: {error.strerror}"
            f"{also if any(folder.glob('tensor*')) else ''}"
        ) from error


def _some(paths: Iterable[Path], shown: int = 8) -> str:
    names = [path.name for path in paths]
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def _check_fits(tensor: StoredTensor, parameter: Parameter, name: str) -> None:
    if parameter.groups is None:
        if tensor.scales or tensor.weight.dtype != np.float32:
            raise CheckpointError(f"{name} should be a float32 array")
        _check_shape(tensor.weight, parameter.shape, name)
    else:
        if tensor.scales is None:
            raise CheckpointError(f"{name} should be an int8 weight with scales")
        _check_shape(tensor.weight, parameter.shape, f"{name} (weight)")
        _check_shape(tensor.scales, parameter.scales_shape, f"{name} (scales)")


def _check_shape(array: StoredArray, shape: tuple[int, ...], name: str) -> None:
    if array.shape != shape:
        raise CheckpointError(f"{name} has shape {array.shape}, but config.json makes it {shape}")

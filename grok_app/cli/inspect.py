"""Print what a checkpoint holds: tensors, counts, scales, and norms.

The tensors with their shapes; parameters by kind; for every matrix the spread of its scales and
the norm of its real values; for expert matrices the norm of each expert, for routers that of
each expert's column. Every number is read once: 5 GB a layer for Grok-1.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from grok_app.checkpoint.folder import Checkpoint, open_checkpoint
from grok_app.checkpoint.plan import gigabytes
from grok_app.checkpoint.statistics import TensorStatistics, counts, statistics
from grok_app.errors import SettingsError
from grok_app.model.parameters import count, count_active


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="the model's folder")
    parser.add_argument("--layer", metavar="N", type=int, help="only this layer, from 0")


def run(given: argparse.Namespace) -> int:
    """Prints the report."""
    checkpoint = open_checkpoint(given.checkpoint)
    layers = checkpoint.config.num_layers
    if given.layer is not None and not 0 <= given.layer < layers:
        raise SettingsError(f"--layer {given.layer}: expected 0 to {layers - 1}")
    _print_counts(checkpoint)
    per_layer = (len(checkpoint.tensors) - 2) // layers
    total = len(checkpoint.tensors) if given.layer is None else per_layer
    files = statistics(checkpoint, given.layer)
    for found in tqdm(files, "reading", total, unit="files", leave=False, disable=None):
        tqdm.write(_described(found))
    return 0


def _print_counts(checkpoint: Checkpoint) -> None:
    config = checkpoint.config
    total = count(config)
    for kind, number in counts(config).items():
        print(f"{kind:12} {number:18,}  {number / total:7.2%}")
    print(f"{'all':12} {total:18,}  {gigabytes(checkpoint.nbytes)}")
    print(f"{'of a token':12} {count_active(config):18,}  {count_active(config) / total:7.2%}")
    print()


def _described(found: TensorStatistics) -> str:
    weight = found.tensor.weight
    lines = [f"{weight.path.name}  {found.name}  {weight.dtype} {list(weight.shape)}"]
    if found.scales and found.tensor.scales:
        lines[0] += f", scales {list(found.tensor.scales.shape)}"
        s = found.scales
        lines.append(f"    scales  {s.low:.3g} to {s.high:.3g}, median {s.median:.3g}")
    lines.append(f"    norm    {_joined(found.norms)}")
    return "\n".join(lines)


def _joined(norms: Sequence[float]) -> str:
    return " ".join(f"{norm:.4g}" for norm in norms)

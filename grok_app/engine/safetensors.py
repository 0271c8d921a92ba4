"""Files in the safetensors format: a header in JSON, then the numbers of one array after the other.

The format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_TYPES = {"float32": "F32", "int32": "I32", "uint8": "U8"}
_ALIGNMENT = 8  # bytes


def write_safetensors(
    path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Writes arrays of float32, int32 or uint8, and texts by name.

    Raises:
        OSError: the file cannot be written.
    """
    # The largest numbers first: so each array begins where its type may.
    names = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        array = arrays[name]
        start, end = end, end + array.nbytes
        kind, shape = _TYPES[array.dtype.name], list(array.shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in names:
            little = arrays[name].dtype.newbyteorder("<")
            file.write(np.ascontiguousarray(arrays[name], little).data)

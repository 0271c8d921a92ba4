"""Files that somebody else may have made."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

_MOST = 2**28  # bytes; a text of that size is more than a model reads in a day


def read_whole(path: Path, most: int = _MOST) -> bytes:
    """All of a regular file of at most `most` bytes.

    Raises:
        OSError: it cannot be read, is larger, or is no regular file: from a pipe or a device there
            may be no end. `strerror` says which.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        data = file.read(min(found.st_size, most) + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most:,} bytes, the most expected", str(path))
    return data

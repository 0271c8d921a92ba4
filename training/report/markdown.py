"""Text and tables that Markdown shows as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table whose cells show their text as it is."""
    lines = [head, ["---"] * len(head), *([escape(str(cell)) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _MARKS.sub(r"\\\g<0>", " ".join(text.split()))


_MARKS = re.compile(r"[\\`*_\[\]<>#|~&$@:]|(?<=www)\.")

"""How a report's command ends: figures as text, and as a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from grok_app.errors import GrokError
from training.run.state import StateError
from training.texts.corpus import CorpusError

Report = TypeVar("Report")


def finish(measure: Callable[[], Report], show: Callable[[Report], str], path: Path | None) -> int:
    """Measures, prints what `show` makes of it and perhaps writes it to `path` as JSON.

    Returns:
        The exit status: 2 where a model or a text cannot be read, which is said in one line.
    """
    try:
        report = measure()
    except (GrokError, CorpusError, StateError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(show(report))
    if path:
        path.write_text(json.dumps(report, indent=1) + "\n")
    return 0

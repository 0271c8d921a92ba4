"""What an evaluation has found so far, on disk: interrupted, it goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from grok_app.errors import SettingsError


def check_unfinished(report: Path) -> None:
    """Raises SettingsError where a report stands already: it took long to make."""
    if report.exists():
        raise SettingsError(
            f"{report} is the report of an earlier evaluation; move it away, or name another with "
            "--report"
        )


class Journal:
    """JSON lines: the settings, then a result each. Gone when the report is written.

    Attributes:
        results: those there are, in order.
    """

    def __init__(self, report: Path, settings: dict[str, Any]):
        """Opens `report`'s journal, new or as it was left.

        Raises:
            SettingsError: it cannot be written, or belongs to an evaluation of other settings.
        """
        self._report, self._settings = report, settings
        self._path = report.with_name(report.name + ".part")
        self.results: list[Any] = []
        try:
            report.parent.mkdir(parents=True, exist_ok=True)
            self._take_up()
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{self._path} cannot be written: {error.strerror}") from None
        if not self._path.stat().st_size:
            self._write(settings)

    def add(self, result: Any) -> None:
        """Keeps one result."""
        self._write(result)
        self.results.append(result)

    def finish(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Writes the report, and takes the journal away."""
        report = {"settings": self._settings, **summary, "results": self.results}
        self._report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        self._path.unlink()
        return report

    def _take_up(self) -> None:
        if not self._path.exists():
            return
        text = self._path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # what was being written when it ended is left out
        settings, *results = [json.loads(line) for line in whole.splitlines()] or [None]
        if results and settings != self._settings:
            raise SettingsError(
                f"{self._path} is of an evaluation with other settings, {settings}; finish "
                "that, remove the file, or name another with --report"
            )
        self._path.write_text(whole if results else "", encoding="utf-8")
        self.results = results

    def _write(self, value: Any) -> None:
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

"""`make quick` is quick: what it runs needs no server and no compiled model."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app_process import ROOT

SLOW = {"nano", "server", "app_url", "slow", "slow_url", "demo"}  # fixtures, see tests/conftest.py


def quick_files() -> Iterator[Path]:
    """The files of the Makefile's QUICK, and the fixtures of their folders."""
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    quick = re.search(r"^QUICK := (.*)$", makefile, re.M)
    assert quick
    for name in quick[1].split():
        path = ROOT / name
        folder = path if path.is_dir() else path.parent
        yield from sorted(path.glob("test_*.py")) if path.is_dir() else [path]
        if folder != ROOT / "tests":
            yield from folder.glob("conftest.py")


@pytest.mark.parametrize("path", sorted(set(quick_files())), ids=lambda path: path.stem)
def test_no_test_of_the_quick_ones_needs_a_server_or_a_model(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            needed = SLOW & {argument.arg for argument in node.args.args}
            assert not needed, f"{path}:{node.lineno} needs {', '.join(needed)}"

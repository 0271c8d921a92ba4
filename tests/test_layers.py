"""Holds the house to its picture: who may import whom, and that importing runs nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app_process import ROOT

PACKAGE = ROOT / "grok_app"
ROOMS = sorted(PACKAGE.rglob("*.py"))
SOURCES = [ROOT / "app.py", *ROOMS]

# Which parts of grok_app each part may import beside itself.
MAY_IMPORT = {
    "errors": set(),
    "files": set(),
    "address_space": {"errors"},
    "sampling": {"errors"},
    "interventions": {"errors"},
    "options": {"errors"},
    "settings": {"errors", "options"},
    "kernels": {"errors"},
    "model": {"errors", "kernels"},
    "checkpoint": {"errors", "files", "address_space", "options", "model"},
    "engine": {
        "errors",
        "files",
        "sampling",
        "interventions",
        "options",
        "kernels",
        "model",
        "checkpoint",
    },
    "chat": {"errors", "files", "sampling"},
    "replies": {"errors", "sampling", "chat", "engine"},
    "evaluation": {"errors", "files", "engine", "replies", "__init__"},
    "api": {
        "errors",
        "files",
        "sampling",
        "interventions",
        "chat",
        "engine",
        "replies",
        "__init__",
    },
    "web": {"errors", "sampling", "settings", "chat", "engine", "replies", "api", "__init__"},
    "__init__": {"errors", "interventions", "options", "engine"},
    "cli": {
        "errors",
        "files",
        "interventions",
        "options",
        "settings",
        "model",
        "checkpoint",
        "engine",
        "evaluation",
        "__init__",
    },
    "__main__": {"errors", "address_space", "cli"},
}

# Which parts alone may import these; nothing else of the project does.
ONLY_IN = {
    "jax": {"kernels", "model", "checkpoint", "engine"},
    "jaxlib": {"model", "checkpoint", "engine", "kernels"},
    "haiku": {"model", "checkpoint", "engine"},
    "gradio": {"web"},
    "gradio_client": {"web"},
    "fastapi": {"api", "web"},
    "pydantic": {"api"},
    "starlette": {"api", "web"},
    "uvicorn": {"web"},
    "prometheus_client": {"api"},
    "sentencepiece": {"engine"},
}

# Arrays in, arrays out: no files and no threads in the model.
NOT_IN_MODEL = {"os", "io", "pathlib", "pickle", "mmap", "threading", "queue", "concurrent"}

# Which parts alone may call these: whoever wants a reply or a prompt asks the room of replies.
ONLY_CALLED_IN = {"generate": {"replies"}, "build_prompt": {"replies"}}

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
DECLARATIONS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.AugAssign, *DEFINITIONS)


def part_of(source: Path) -> str:
    """Which part of the house a file belongs to: "engine", "settings", "app" ..."""
    if source.parent == ROOT:
        return source.stem
    return Path(source.relative_to(PACKAGE).parts[0]).stem


def imports_of(source: Path) -> Iterator[str]:
    """Dotted names of all that a file imports, inside functions too."""
    package = list(source.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            if module == "grok_app":  # `from grok_app import engine` names a part or the package
                for alias in node.names:
                    yield module + "." + (alias.name if alias.name in MAY_IMPORT else "__init__")
            else:
                yield module


def named(source: Path) -> str:
    return str(source.relative_to(ROOT))


@pytest.mark.parametrize("source", ROOMS, ids=named)
def test_imports_point_downward(source: Path) -> None:
    part = part_of(source)
    for module in imports_of(source):
        first, _, rest = module.partition(".")
        if first == "grok_app":
            other = rest.partition(".")[0] or "__init__"
            assert other in MAY_IMPORT[part] | {part}, f"{part} must not import {module}"


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_libraries_stay_in_their_rooms(source: Path) -> None:
    part = part_of(source)
    for module in imports_of(source):
        first = module.partition(".")[0]
        assert part in ONLY_IN.get(first, {part}), f"{part} must not import {module}"
        assert part != "model" or first not in NOT_IN_MODEL, f"the model must not import {module}"


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_replies_are_made_in_one_place(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            allowed = ONLY_CALLED_IN.get(name, {part_of(source)})
            assert part_of(source) in allowed, f"{named(source)}:{node.lineno} calls {name}"


@pytest.mark.parametrize("source", SOURCES, ids=named)
def test_a_file_only_declares(source: Path) -> None:
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        guard = isinstance(node, ast.If) and ast.unparse(node.test) in (
            "TYPE_CHECKING",
            "__name__ == '__main__'",
        )
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = all(isinstance(target, ast.Name | ast.Tuple) for target in targets)
        assert docstring or guard or (isinstance(node, DECLARATIONS) and names), (
            f"{named(source)}:{node.lineno} runs on import: {ast.unparse(node)}"
        )


def test_the_scheduler_needs_no_device() -> None:
    imported = {module.partition(".")[0] for module in imports_of(PACKAGE / "engine/scheduler.py")}
    assert not imported & {"jax", "haiku", "numpy"}


def test_importing_everything_touches_no_device_and_starts_no_thread() -> None:
    modules = [
        ".".join(source.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for source in SOURCES
    ]
    # Once a device is in use jax refuses to change how many there are.
    program = (
        f"import threading, {', '.join(modules)}\n"
        "import jax\n"
        "jax.config.update('jax_num_cpu_devices', 3)\n"
        "assert len(jax.devices('cpu')) == 3\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr

"""Show what the model does with texts: experts, gates, hidden states, attention, logit lens.

Each FILE goes through the model as one text. A table, .csv or .parquet, has a row for each token at
each layer, those of all files one after the other. Arrays, .npz or .safetensors, are of one text:
of several files each gets its own, so that a.txt and x.npz make x-a.npz. docs/python.md tells what
is in them.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

import grok_app
from grok_app.checkpoint.folder import read_config
from grok_app.cli.texts import read_text
from grok_app.engine.recording import watch_of
from grok_app.errors import SettingsError
from grok_app.interventions import Intervention, check
from grok_app.options import EngineOptions
from grok_app.settings import Settings

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine
    from grok_app.engine.trace import Trace

_TABLES, _ARRAYS = (".csv", ".parquet"), (".npz", ".safetensors")
_MOST_LAYERS = 1024
_IN_ARRAYS_ONLY = {"hidden", "attention"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a text, UTF-8")
    parser.add_argument("--out", type=Path, required=True, help="where to write; see above")
    parser.add_argument(
        "--what",
        default="experts,gates",
        help="of experts, gates, router_logits, hidden, lens, attention (default: %(default)s)",
    )
    parser.add_argument("--layers", help="only these, such as 0,4-7 (default: all)")
    parser.add_argument("--heads", help="of the attention, as layer:head, such as 3:0,3:1")
    parser.add_argument("--top", type=int, default=5, help="tokens of the lens (default: 5)")
    parser.add_argument(
        "--intervene",
        metavar="WHAT",
        action="append",
        default=[],
        help="change the routing; once for each change, such as mask:3, zero:3@0,4-7 (of these "
        "layers), swap:3=5, force:3, bias:3=1.5; docs/python.md says what they do",
    )
    parser.add_argument("--checkpoint", type=Path, default=Settings.checkpoint)
    parser.add_argument("--context", type=int, help="tokens of a text (default: the model's)")
    parser.add_argument("--dtype", help="float32 or bfloat16")


def run(given: argparse.Namespace) -> int:
    """Traces the texts and writes what was seen. What can be wrong is told before the model is
    loaded, which may take minutes.

    Raises:
        GrokError: the model cannot be loaded, or a file or an option is wrong.
    """
    asked = given.what.split(","), _layers(given.layers), _heads(given.heads), given.top
    config, changes = read_config(given.checkpoint), [*map(_intervention, given.intervene)]
    watch_of(config, *asked)
    check(changes, config.num_layers, config.num_experts, config.num_selected_experts)
    places = _places(given.out, given.files, given.what.split(","))
    texts = [read_text(path) for path in given.files]
    options = EngineOptions(slots=1, saved=0, context=given.context, dtype=given.dtype)
    with closing(grok_app.load(given.checkpoint, options)) as engine:
        ids = [_ids(engine, *pair) for pair in zip(given.files, texts, strict=True)]
        traces = []
        with tqdm(total=sum(map(len, ids)), unit="token") as bar:
            for place, text in zip(places, ids, strict=True):
                trace = engine.trace(text, *asked, changes, bar.update)
                if given.out.suffix in _ARRAYS:
                    trace.save(place)
                else:
                    traces.append(trace)
    if traces:
        _write_table(given.out, dict(zip(given.files, traces, strict=True)))
    print("Written:", *dict.fromkeys(places))
    return 0


def _layers(text: str | None) -> list[int] | None:
    """The numbers of a text such as "0,4-7"."""
    if text is None:
        return None
    try:
        return _numbers(text)
    except ValueError:
        raise SettingsError(f"--layers {text}: expected numbers such as 0,4-7") from None


def _numbers(text: str) -> list[int]:
    """Raises ValueError where they are none, or more than any model has layers."""
    numbers: list[int] = []
    for run in text.split(","):
        first, _, last = run.partition("-")
        span = range(int(first), int(last or first) + 1)
        if len(span) > _MOST_LAYERS:
            raise ValueError
        numbers += span
    return numbers


def _intervention(text: str) -> Intervention:
    """What a text such as "bias:3=1.5@0,4-7" says."""
    what, _, layers = text.partition("@")
    kind, _, expert = what.partition(":")
    expert, _, value = expert.partition("=")
    try:
        numbers = _numbers(layers) if layers else None
        to = int(value) if kind == "swap" else None
        by = float(value) if value and kind != "swap" else None
        return Intervention(kind, int(expert), tuple(numbers) if numbers else None, to, by)
    except ValueError:
        raise SettingsError(
            f"--intervene {text}: expected such as mask:3, zero:3@0,4-7, swap:3=5, bias:3=1.5"
        ) from None


def _heads(text: str | None) -> list[tuple[int, int]] | None:
    """The pairs of a text such as "3:0,3:1"."""
    if text is None:
        return None
    try:
        return [(int(layer), int(head)) for layer, head in (p.split(":") for p in text.split(","))]
    except ValueError:
        raise SettingsError(f"--heads {text}: expected layer:head, such as 3:0,3:1") from None


def _places(out: Path, files: list[Path], what: list[str]) -> list[Path]:
    """Where what is seen of each file goes.

    Raises:
        SettingsError: it cannot be written there, or is there already.
    """
    if out.suffix not in _TABLES + _ARRAYS:
        raise SettingsError(f"--out {out}: expected a name in {', '.join(_TABLES + _ARRAYS)}")
    if out.suffix == ".parquet" and not find_spec("pyarrow"):
        raise SettingsError("a .parquet file needs the package pyarrow: pip install pyarrow")
    if out.suffix in _TABLES and (arrays := _IN_ARRAYS_ONLY.intersection(what)):
        raise SettingsError(
            f"a table has no place for {' and '.join(sorted(arrays))}; write {' or '.join(_ARRAYS)}"
        )
    if len(set(files)) < len(files):
        raise SettingsError("a file is given twice")
    places = [out] * len(files)
    if out.suffix in _ARRAYS and len(files) > 1:
        places = [out.with_name(f"{out.stem}-{file.stem}{out.suffix}") for file in files]
        if len(set(places)) < len(places):
            raise SettingsError("two files have the same name; trace them one by one")
    for place in places:
        if place.exists():
            raise SettingsError(f"{place} is there already; name another --out, or delete it")
        if not place.parent.is_dir():
            raise SettingsError(f"{place.parent} is no folder to write to")
    return places


def _ids(engine: Engine, path: Path, text: str) -> list[int]:
    """The tokens of a file, none too many."""
    ids = engine.encode(text)
    if len(ids) > engine.context:
        raise SettingsError(
            f"{path} has {len(ids)} tokens; the context is {engine.context}: divide it, or give a "
            f"longer --context if the model has one"
        )
    return ids


def _write_table(out: Path, traces: dict[Path, Trace]) -> None:
    """The rows of all files, with a column that names the file."""
    import pandas  # type: ignore[import-untyped]  # comes with Gradio

    parts = [pandas.DataFrame({"file": str(p), **t.table()}) for p, t in traces.items()]
    table: Any = pandas.concat(parts, ignore_index=True)
    if out.suffix == ".csv":
        table.to_csv(out, index=False)
    else:
        table.to_parquet(out, index=False)

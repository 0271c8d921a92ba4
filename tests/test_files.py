"""Whatever lies where a file is expected is refused by name, at once."""

import argparse
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from grok_app import load
from grok_app.api import read_keys
from grok_app.chat.persona import load_persona
from grok_app.checkpoint.folder import read_config
from grok_app.cli import eval
from grok_app.engine.tokenizer import Tokenizer
from grok_app.errors import GrokError
from grok_app.evaluation.gsm8k import read_problems
from grok_app.files import read_whole
from tests.app_process import ROOT


def evaluate(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    eval.configure(parser)
    return eval.run(parser.parse_args(arguments))


READERS: dict[str, Callable[[Path], object]] = {
    "config.json": lambda path: read_config(path.parent),
    "tokenizer.model": Tokenizer,
    "ann.toml": load_persona,
    "keys": read_keys,
    "problems": read_problems,
    "text": lambda path: evaluate("perplexity", str(path)),
}


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**30)  # a hole: nothing is written


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (pipe, "not a regular file"),
        (device, "not a regular file"),
        (dangling, "No such file"),
        (large, "larger than"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_is_refused_by_name(
    name: str, make: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    with pytest.raises(GrokError) as refused:
        READERS[name](tmp_path / name)
    assert name in str(refused.value)
    assert why in str(refused.value)


def test_an_error_tells_the_beginning_of_what_is_long(tmp_path: Path) -> None:
    many = {f"key{number:06}": 1 for number in range(50_000)}
    (tmp_path / "config.json").write_text(json.dumps(many))
    (tmp_path / "ann.toml").write_text(f'name = "Ann"\ndescription = "x"\n{"k" * 150_000} = 1\n')
    for name in ("config.json", "ann.toml"):
        with pytest.raises(GrokError) as refused:
            READERS[name](tmp_path / name)
        assert name in str(refused.value)
        assert len(str(refused.value)) < 2000


def test_a_tokenizer_that_leads_nowhere_is_not_taken_for_none(tmp_path: Path) -> None:
    model = shutil.copytree(ROOT / "tests" / "data" / "mini", tmp_path / "mini")
    dangling(model / "tokenizer.model")
    with pytest.raises(GrokError, match=r"tokenizer\.model: .*No such file"):
        load(model)


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_whole(tmp_path / "a", 3) == b"abc"
    with pytest.raises(OSError, match="larger than 2 bytes"):
        read_whole(tmp_path / "a", 2)

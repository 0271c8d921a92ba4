"""EleutherAI's lm_eval, as it is, on tasks of local files: what it measures is the model's."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grok_app
from grok_app import SamplingParams

ROWS: list[dict[str, Any]] = [
    {"prompt": "It was a dark night, and the captain", "choices": [" was tired.", " zebra x."]},
    {"prompt": "The sea was", "choices": [" calm and blue.", " table the."]},
    {"prompt": "Once upon a time there was", "choices": [" a king.", " a king and a queen."]},
]
TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {kind}
doc_to_text: "{{{{prompt}}}}"
{rest}
"""
GENERATION = """
doc_to_target: "{{choices[0]}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 12, temperature: 0}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
CHOICE = """
doc_to_choice: "{{choices}}"
doc_to_target: 0
target_delimiter: ""
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("lm_eval") is None,
        reason="lm_eval is not installed: pip install -r requirements-lm-eval.txt",
    ),
]


@pytest.fixture(scope="module")
def samples(app_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What lm_eval has written of each task, an entry a row."""
    folder = tmp_path_factory.mktemp("lm_eval")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for name, kind, rest in (
        ("generation", "generate_until", GENERATION),
        ("likelihood", "multiple_choice", CHOICE),
    ):
        task = TASK.format(name=name, data=data, kind=kind, rest=rest)
        (folder / f"{name}.yaml").write_text(task)
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args"),
            f"model=nano,base_url={app_url}/v1/completions,max_length=1024,num_concurrent=4",
            *("--include_path", str(folder), "--tasks", "generation,likelihood"),
            *("--log_samples", "--output_path", str(folder / "out")),
        ],
        env=os.environ | {"HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    return {
        name: sorted(_rows(folder / "out", name), key=lambda row: row["doc_id"])
        for name in ("generation", "likelihood")
    }


def _rows(out: Path, name: str) -> Iterator[dict[str, Any]]:
    (path,) = out.rglob(f"samples_{name}_*.jsonl")
    yield from map(json.loads, path.read_text().splitlines())


def test_a_generation_task(samples, nano: grok_app.Engine) -> None:
    assert len(samples["generation"]) == len(ROWS)
    for row, sample in zip(ROWS, samples["generation"], strict=True):
        pieces = nano.generate(
            row["prompt"], SamplingParams(max_tokens=12, temperature=0, stop=["\n"])
        )
        assert sample["resps"] == [["".join(piece.text for piece in pieces)]]


def test_a_likelihood_task(samples, nano: grok_app.Engine) -> None:
    for row, sample in zip(ROWS, samples["likelihood"], strict=True):
        for choice, [[told, greedy]] in zip(row["choices"], sample["resps"], strict=True):
            start = nano.encode(row["prompt"])
            ids = nano.encode(row["prompt"] + choice)
            logits = nano.logits([ids])[0, len(start) - 1 : -1].astype(np.float64)
            logprobs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            wanted = logprobs[np.arange(len(logprobs)), ids[len(start) :]].sum()
            assert float(told) == pytest.approx(wanted, abs=1e-3 * len(logprobs))
            likeliest = (logits.argmax(-1) == ids[len(start) :]).all()
            assert str(greedy) == str(bool(likeliest))

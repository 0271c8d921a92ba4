"""Packing a corpus into tokens on disk.

`python -m training.texts.dataset --corpus DIR` writes into `<work>/data/` a tokenizer.model and,
for each pool of documents (see `training.texts.pools`), `<pool>.npy`, uint16 tokens with END after
every document, and `<pool>.starts.npy`, where the documents start.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from tqdm import tqdm

from grok_app.engine.tokenizer import Tokenizer
from grok_app.errors import CheckpointError
from training.texts.corpus import DIALOGUES, MORE_DIALOGUES, PROSE, CorpusError
from training.texts.pools import Recipe, document_pools, sample_documents
from training.texts.tokenizer import END, train_tokenizer

WORK = Path(__file__).parents[1] / "work"
_MODULES = (
    *("asides", "corpus", "dataset", "definitions", "echoes", "english", "knowledge", "pasted"),
    *("pools", "tales", "tokenizer", "transcripts", "voices", "wit"),
)
_ROOM = Path(__file__).parent
CODE = [
    *(_ROOM / f"{name}.py" for name in _MODULES),
    *sorted([*(_ROOM / "talks").glob("*.py"), *(_ROOM / "lines").rglob("*.toml")]),
]
"""The files that decide what the tokens are."""


def prepare(corpus: Path, recipe: Recipe, work: Path = WORK, tokenizer: Path | None = None) -> Path:
    """Writes the tokenizer and the pools and returns their folder; work already done is kept.

    A `tokenizer` that is given is used as it is: a model that was trained with it can go on
    with other text.

    Raises:
        CorpusError: the corpus is missing, malformed or too small for a tokenizer, or the one that
            is given has more pieces than the recipe.
        CheckpointError: what is given is no tokenizer.
    """
    given = _read(tokenizer, recipe.vocabulary) if tokenizer else None
    folder, key = work / "data", _key(corpus, recipe)
    if _is_done(folder, key, given):
        return folder
    unfinished = work / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    pools = document_pools(corpus, recipe)
    sample = sample_documents(pools, recipe.sample_megabytes)
    model = given or train_tokenizer(sample, recipe.vocabulary)
    (unfinished / "tokenizer.model").write_bytes(model)
    tokens = {
        name: _pack(unfinished, name, documents(), model) for name, documents in pools.items()
    }
    summary = {"key": key, "recipe": asdict(recipe), "given": given is not None, "tokens": tokens}
    (unfinished / "data.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return folder


def _read(path: Path, vocabulary: int) -> bytes:
    """The tokenizer in a file."""
    pieces = Tokenizer(path).vocab_size
    if pieces > vocabulary:
        raise CorpusError(
            f"{path} has {pieces} pieces, more than the vocabulary of {vocabulary}: give the "
            "model's own tokenizer"
        )
    return path.read_bytes()  # which the tokenizer has found good


def _is_done(folder: Path, key: str, given: bytes | None) -> bool:
    """Whether the tokens are there, of the tokenizer that is given, else of the corpus' own."""
    if not (folder / "data.json").exists():
        return False
    summary = read_summary(folder)
    theirs = (folder / "tokenizer.model").read_bytes()
    return summary["key"] == key and (given == theirs if given else not summary["given"])


def packed(folder: Path, vocabulary: int, tokenizer: Path) -> Path:
    """The folder of tokens that were packed before, maybe on another machine.

    Raises:
        CorpusError: there are none, or they are of another vocabulary, or of another tokenizer than
            the run's, which may not be there yet.
    """
    if not (folder / "data.json").exists():
        raise CorpusError(f"no packed tokens in {folder}: name the --corpus to pack")
    theirs = read_summary(folder)["recipe"]["vocabulary"]
    if theirs != vocabulary:
        raise CorpusError(
            f"the tokens in {folder} are of a vocabulary of {theirs}, expected {vocabulary}: pack "
            "the --corpus again"
        )
    if tokenizer.exists() and tokenizer.read_bytes() != (folder / "tokenizer.model").read_bytes():
        raise CorpusError(
            f"the tokens in {folder} are of another tokenizer than {tokenizer}: pack the corpus "
            f"again, with python -m training.texts.dataset --tokenizer {tokenizer}"
        )
    return folder


def read_summary(folder: Path) -> dict[str, Any]:
    """What `prepare` noted: "key", "recipe", whether the tokenizer was "given" and, for each
    pool, how many "tokens"."""
    return json.loads((folder / "data.json").read_text("utf-8"))


def _key(corpus: Path, recipe: Recipe) -> str:
    """Changes with the recipe, the corpus and the code that makes documents of it."""
    digest = hashlib.blake2b(repr(recipe).encode(), digest_size=8)
    for path in (corpus / DIALOGUES, corpus / MORE_DIALOGUES, corpus / PROSE):
        digest.update(str(path.exists() and path.stat().st_size).encode())
    for path in CODE:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _pack(folder: Path, name: str, documents: Iterable[str], model: bytes) -> int:
    """Encodes the documents into the files of a pool; returns the number of tokens."""
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model)
    encoded: list[np.ndarray] = []
    rest = iter(tqdm(documents, name, unit=" documents"))
    while some := list(islice(rest, 200)):
        ids = tokenizer.encode(some, num_threads=2)
        encoded += (np.array([*document, END], np.uint16) for document in ids)
    lengths = np.array([len(document) for document in encoded], np.int64)
    tokens = np.concatenate([np.zeros(0, np.uint16), *encoded])
    np.save(folder / f"{name}.npy", tokens)
    np.save(folder / f"{name}.starts.npy", np.cumsum(lengths) - lengths)
    return len(tokens)


def main() -> int:
    """Prepares the data and prints how many tokens each pool has; returns the exit status."""
    parser = argparse.ArgumentParser(description="Packs a corpus into tokens on disk.")
    parser.add_argument("--corpus", type=Path, required=True, help=f"a folder with {DIALOGUES}")
    parser.add_argument(
        "--work", type=Path, default=WORK, help="where to write (default %(default)s)"
    )
    parser.add_argument(
        "--vocabulary",
        type=int,
        help=f"pieces of a tokenizer that is trained (default {Recipe.vocabulary})",
    )
    parser.add_argument("--prose", type=float, default=Recipe.prose_megabytes, help="megabytes")
    parser.add_argument("--tokenizer", type=Path, help="one to use instead of training it")
    options = parser.parse_args()
    try:
        given = Tokenizer(options.tokenizer).vocab_size if options.tokenizer else None
        vocabulary = options.vocabulary or given or Recipe.vocabulary
        recipe = Recipe(vocabulary=vocabulary, prose_megabytes=options.prose)
        folder = prepare(options.corpus, recipe, options.work, options.tokenizer)
    except (CorpusError, CheckpointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, count in read_summary(folder)["tokens"].items():
        print(f"{name:24}{count:12,} tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Packing a corpus into tokens on disk.

`python -m training.dataset --corpus DIR` writes into `<work>/data/` a tokenizer.model and, for
each pool of text, `<pool>.npy` (uint16 tokens, every document ended by END) and
`<pool>.starts.npy` (where the documents start). The pools:

    plain           conversations as lines `A: ...` and `B: ...`, as evaluation reads them
    dialogues-<n>   the same with varied labels, preambles and examples, a variant each
    wit-<n>         definitions, quips and tales as conversations, a variant each
    prose           books
    held-<source>   the first turns of conversations held out, as `plain`
    held-prose      books held out
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import sentencepiece
from tqdm import tqdm

from training.corpus import (
    DIALOGUES,
    PROSE,
    Conversation,
    Passage,
    clean_prose,
    clean_turns,
    read_dialogues,
    read_prose,
)
from training.tokenizer import END, train_tokenizer
from training.transcripts import kinds_of, transcript, variations
from training.wit import SHORT_TEXTS, witty_turns

WORK = Path(__file__).parent / "work"
HELD_TURNS = 16
MEGABYTE = 1_000_000

Pools = dict[str, Callable[[], Iterable[str]]]
"""The documents of each pool, made anew at each call."""


@dataclass(frozen=True)
class Recipe:
    """What decides the tokens, besides the corpus itself.

    Attributes:
        vocabulary: pieces of the tokenizer.
        variants: renderings of each conversation.
        prose_megabytes: how much of the books to use.
        sample_megabytes: how much text the tokenizer learns from.
        seed: of every choice.
    """

    vocabulary: int = 4096
    variants: int = 4
    prose_megabytes: float = 40.0
    sample_megabytes: float = 20.0
    seed: int = 0


def prepare(corpus: Path, recipe: Recipe, work: Path = WORK, tokenizer: Path | None = None) -> Path:
    """Writes the tokenizer and the pools and returns their folder; work already done is kept.

    A `tokenizer` that is given is used as it is: a model that was trained with it can go on
    with other text. Raises CorpusError if the corpus is missing or malformed.
    """
    given = tokenizer and tokenizer.read_bytes()
    folder, key = work / "data", _key(corpus, recipe, given)
    if (folder / "data.json").exists() and read_summary(folder)["key"] == key:
        return folder
    unfinished = work / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    pools = _pools(corpus, recipe)
    sample = _sample(pools, recipe.sample_megabytes)
    model = given or train_tokenizer(sample, recipe.vocabulary)
    (unfinished / "tokenizer.model").write_bytes(model)
    tokens = {
        name: _pack(unfinished, name, documents(), model) for name, documents in pools.items()
    }
    summary = {"key": key, "recipe": asdict(recipe), "tokens": tokens}
    (unfinished / "data.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return folder


def read_summary(folder: Path) -> dict[str, Any]:
    """What `prepare` noted: "key", "recipe" and, for each pool, how many "tokens"."""
    return json.loads((folder / "data.json").read_text("utf-8"))


def _key(corpus: Path, recipe: Recipe, tokenizer: bytes | None) -> str:
    """Changes with the recipe, the corpus and the code that makes documents of it."""
    digest = hashlib.blake2b(repr((recipe, tokenizer)).encode(), digest_size=8)
    for path in (corpus / DIALOGUES, corpus / PROSE):
        digest.update(str(path.exists() and path.stat().st_size).encode())
    for name in (
        "corpus.py",
        "dataset.py",
        "phrases.toml",
        "tokenizer.py",
        "transcripts.py",
        "wit.py",
    ):
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()


def _pools(corpus: Path, recipe: Recipe) -> Pools:
    conversations = list(tqdm(read_dialogues(corpus), "reading dialogues", unit=""))
    passages = list(tqdm(read_prose(corpus), "reading prose", unit=""))
    talks = [
        (kinds_of(conversation.source, turns), turns)
        for conversation in conversations
        if not conversation.held_out
        for turns in clean_turns(conversation.turns)
    ]
    Random(recipe.seed).shuffle(talks)
    told = tqdm([passage for passage in passages if not passage.held_out], "wit", unit="")
    witty = [((kind,), turns) for kind, turns in witty_turns(told, Random(recipe.seed))]
    examples = defaultdict(list)
    for kinds, turns in chain(talks, witty):
        for kind in set(kinds):
            examples[kind].append(turns)

    def varied(texts: Sequence[tuple[tuple[str, ...], list[str]]], variant: int) -> Iterator[str]:
        rng = Random(f"{recipe.seed} {variant}")
        for kinds, turns in rng.sample(texts, len(texts)):
            yield from variations(turns, kinds, examples, rng)

    pools: Pools = {"plain": lambda: (transcript(turns) for _, turns in talks)}
    for variant in range(recipe.variants):
        pools[f"dialogues-{variant}"] = partial(varied, talks, variant)
        pools[f"wit-{variant}"] = partial(varied, witty, variant)
    books = [passage for passage in passages if passage.source not in SHORT_TEXTS]
    pools["prose"] = partial(_books, books, recipe.prose_megabytes, recipe.seed)
    for source in sorted({conversation.source for conversation in conversations}):
        pools[f"held-{source}"] = partial(_held_dialogues, conversations, source)
    pools["held-prose"] = lambda: (clean_prose(book.text) for book in books if book.held_out)
    return pools


def _books(books: Iterable[Passage], megabytes: float, seed: int) -> Iterator[str]:
    trained = [book.text for book in books if not book.held_out]
    room = megabytes * MEGABYTE
    for text in Random(seed).sample(trained, len(trained)):
        if room <= 0:
            return
        room -= len(text)
        yield clean_prose(text)


def _held_dialogues(conversations: Iterable[Conversation], source: str) -> Iterator[str]:
    for conversation in conversations:
        if conversation.held_out and conversation.source == source:
            yield transcript(conversation.turns[:HELD_TURNS])


def _sample(pools: Pools, megabytes: float) -> Iterator[str]:
    """Text for the tokenizer to learn from: mostly conversations."""
    shares = {"plain": 0.3, "dialogues-0": 0.4, "wit-0": 0.1, "prose": 0.2}
    for name, share in tqdm(shares.items(), "tokenizer", unit=" pools"):
        room = share * megabytes * MEGABYTE
        for document in pools[name]():
            if room <= 0:
                break
            room -= len(document)
            yield document


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


def main() -> None:
    """Prepares the data and prints how many tokens each pool has."""
    parser = argparse.ArgumentParser(description="Packs a corpus into tokens on disk.")
    parser.add_argument("--corpus", type=Path, required=True, help=f"a folder with {DIALOGUES}")
    parser.add_argument(
        "--work", type=Path, default=WORK, help="where to write (default %(default)s)"
    )
    parser.add_argument("--vocabulary", type=int, default=Recipe.vocabulary)
    parser.add_argument("--prose", type=float, default=Recipe.prose_megabytes, help="megabytes")
    parser.add_argument("--tokenizer", type=Path, help="one to use instead of training it")
    options = parser.parse_args()
    recipe = Recipe(vocabulary=options.vocabulary, prose_megabytes=options.prose)
    folder = prepare(options.corpus, recipe, options.work, options.tokenizer)
    for name, count in read_summary(folder)["tokens"].items():
        print(f"{name:24}{count:12,} tokens")


if __name__ == "__main__":
    main()

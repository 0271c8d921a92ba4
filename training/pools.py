"""The pools of documents that a corpus gives to train on; what is held out is in none.

plain           conversations as lines `A: ...` and `B: ...`, as evaluation reads them
dialogues-<n>   the same with varied labels, preambles and examples, a variant each
wit-<n>         definitions, quips, tales, small talk, knowledge in conversations, a variant each
long-<n>        long texts that are put into conversations, a variant each
prose           books
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random

from tqdm import tqdm

from training.asides import meetings
from training.corpus import CorpusError, clean_prose, clean_turns, read_dialogues, read_prose
from training.echoes import echoing
from training.knowledge import quizzes
from training.pasted import pasted
from training.tales import tales
from training.transcripts import (
    EXAMPLE_TURNS,
    draw_names,
    introduce,
    kinds_of,
    transcript,
    variations,
)
from training.voices import voiced
from training.wit import SHORT_TEXTS, witty_turns

TALKS = 10_000  # conversations of a corpus that takes all that was written for it
MEGABYTE = 1_000_000

SOURCE_WEIGHTS = {"persona-chat": 2.0, "topical-chat": 1.25, "schema-guided": 0.6}
"""How often a conversation of a source comes in a pool, on average; those not named, once.

The sources differ much in size, and bits per byte are asked of each alike.
"""

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
    variants: int = 8
    prose_megabytes: float = 140.0
    sample_megabytes: float = 20.0
    seed: int = 0


def document_pools(corpus: Path, recipe: Recipe) -> Pools:
    """Reads the corpus into pools, the same ones for the same recipe. Raises CorpusError."""
    conversations = list(tqdm(read_dialogues(corpus), "reading dialogues", unit=""))
    passages = list(tqdm(read_prose(corpus), "reading prose", unit=""))
    rng = Random(recipe.seed)
    talks = [
        (kinds_of(conversation.source), turns)
        for conversation in conversations
        if not conversation.held_out
        for turns in clean_turns(conversation.turns) * _times(conversation.source, rng)
    ]
    if not talks:
        raise CorpusError(f"no conversation of {corpus} is fit for training: add some of two turns")
    rng.shuffle(talks)
    told = tqdm([passage for passage in passages if not passage.held_out], "wit", unit="")
    texts = [p.text for p in passages if p.source not in SHORT_TEXTS and not p.held_out]
    made = chain(
        witty_turns(told, Random(recipe.seed)),
        meetings(Random(recipe.seed)),
        quizzes(Random(recipe.seed)),
        echoing(Random(recipe.seed)),
        (("storyteller", turns) for turns in tales(Random(recipe.seed))),
    )
    long = pasted(texts, [turns for _, turns in talks], Random(recipe.seed))
    lot, share = Random(recipe.seed), len(talks) / TALKS  # a small corpus is not to drown in them
    witty, lengthy = (
        [((kind,), turns) for kind, turns in some if lot.random() < share] for some in (made, long)
    )
    examples = defaultdict(list)
    for kinds, turns in talks:
        for kind in sorted(set(kinds)):
            examples[kind].append(voiced(turns[:EXAMPLE_TURNS], kind, rng))
    for (kind,), turns in witty:
        examples[kind].append(turns)

    def varied(
        texts: Sequence[tuple[tuple[str, ...], list[str]]], variant: int, *, voice: bool
    ) -> Iterator[str]:
        rng = Random(f"{recipe.seed} {variant}")
        for kinds, turns in rng.sample(texts, len(texts)):
            yield from variations(turns, kinds, examples, rng, voice=voice)

    pools: Pools = {"plain": partial(_plain, [turns for _, turns in talks], recipe.seed)}
    for variant in range(recipe.variants):
        pools[f"dialogues-{variant}"] = partial(varied, talks, variant, voice=True)
        pools[f"wit-{variant}"] = partial(varied, witty, variant, voice=False)
        pools[f"long-{variant}"] = partial(varied, lengthy, variant, voice=False)
    pools["prose"] = partial(_books, texts, recipe.prose_megabytes, recipe.seed)
    return pools


def _plain(talks: Iterable[Sequence[str]], seed: int) -> Iterator[str]:
    rng = Random(seed)
    return (transcript(introduce(turns, draw_names(rng))) for turns in talks)


def _times(source: str, rng: Random) -> int:
    """How often a conversation of the source comes: its weight, rounded at random."""
    weight = SOURCE_WEIGHTS.get(source, 1.0)
    return int(weight) + (rng.random() < weight % 1)


def _books(texts: Sequence[str], megabytes: float, seed: int) -> Iterator[str]:
    room = megabytes * MEGABYTE
    for text in Random(seed).sample(texts, len(texts)):
        if room <= 0:
            return
        room -= len(text)
        yield clean_prose(text)


def sample_documents(pools: Pools, megabytes: float) -> Iterator[str]:
    """Text for the tokenizer to learn from: mostly conversations."""
    shares = {"plain": 0.3, "dialogues-0": 0.4, "wit-0": 0.1, "prose": 0.2}
    for name, share in tqdm(shares.items(), "tokenizer", unit=" pools"):
        room = share * megabytes * MEGABYTE
        for document in pools[name]():
            if room <= 0:
                break
            room -= len(document)
            yield document

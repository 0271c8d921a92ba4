"""The pools of documents that a corpus gives to train on; what is held out is in none.

plain           conversations as lines `A: ...` and `B: ...`, as evaluation reads them
dialogues-<n>   the same with varied labels, preambles and examples, a variant each
more-<n>        those of the corpus' second file, so varied, a variant each
made-<n>        talks made by a program, other ones in each variant
wit-<n>         definitions, quips, tales, small talk, knowledge in conversations, a variant each
long-<n>        long texts that are put into conversations, a variant each
prose           books
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from tqdm import tqdm

from training.texts.asides import meetings
from training.texts.corpus import (
    Conversation,
    CorpusError,
    Passage,
    clean_prose,
    clean_turns,
    read_dialogues,
    read_more_dialogues,
    read_prose,
)
from training.texts.echoes import echoing
from training.texts.knowledge import quizzes
from training.texts.pasted import pasted
from training.texts.tales import tales
from training.texts.talks.composition import talk
from training.texts.talks.voice import KINDS
from training.texts.transcripts import (
    EXAMPLE_TURNS,
    draw_names,
    introduce,
    kinds_of,
    transcript,
    variations,
)
from training.texts.voices import voiced
from training.texts.wit import SHORT_TEXTS, witty_turns

MADE = 3000  # talks of each kind of persona, in each variant
TALKS = 10_000  # conversations of a corpus that takes all that was written for it
MEGABYTE = 1_000_000

SOURCE_WEIGHTS = {
    **{"persona-chat": 2.0, "topical-chat": 1.25, "schema-guided": 0.6},
    **{"self-dialogue": 0.7, "dolly": 1.5, "aesop": 2.0, "gsm8k": 0.4, "piqa": 0.7},
    # terse facts that a small model cannot hold, clumsy or partly wrong reasons, templates
    **{"arc": 0.25, "openbookqa": 0.25, "natural-questions": 0.25, "made-facts": 0.3},
    **{"ecqa": 0.25, "creak": 0.15, "common-sense": 0.15, "strategyqa": 0.3, "wordnet": 0.3},
    **{"made-sums": 0.25, "word-sums": 0.6, "entailment-bank": 0.5, "taskmaster-4": 0.7},
}
"""How often a conversation of a source comes in a pool, on average; those not named, once.

The sources of the first file differ much in size, and bits per byte are asked of each alike; those
of the second differ in worth.
"""

Drawn = tuple[tuple[str, ...], list[str]]
"""The kinds of preamble that suit a conversation, and its turns."""

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
    passages = [p for p in tqdm(read_prose(corpus), "reading prose", unit="") if not p.held_out]
    rng = Random(recipe.seed)
    talks = _weighted(_clean(read_dialogues(corpus)), rng)
    if not talks:
        raise CorpusError(f"no conversation of {corpus} is fit for training: add some of two turns")
    rng.shuffle(talks)
    more = _clean(read_more_dialogues(corpus))
    texts = [p.text for p in passages if p.source not in SHORT_TEXTS]
    share = len(talks) / TALKS  # a small corpus is not to drown in what was written
    lot = Random(recipe.seed)
    witty, lengthy = (
        [((kind,), turns) for kind, turns in some if lot.random() < share]
        for some in (
            _written(passages, recipe.seed),
            pasted(texts, [turns for _, turns in talks], Random(recipe.seed)),
        )
    )
    examples = _examples(talks, witty, rng)

    def varied(texts: Sequence[Drawn], variant: int, *, voice: bool) -> Iterator[str]:
        rng = Random(f"{recipe.seed} {variant}")
        for kinds, turns in rng.sample(texts, len(texts)):
            yield from variations(turns, kinds, examples, rng, voice=voice)

    def further(variant: int) -> Iterator[str]:
        drawn = _weighted(more, Random(f"{recipe.seed} more {variant}"))
        return varied(drawn, variant, voice=True)

    def made(variant: int) -> Iterator[str]:
        return varied(_made(share, Random(f"{recipe.seed} made {variant}")), variant, voice=False)

    pools: Pools = {"plain": partial(_plain, [turns for _, turns in talks], recipe.seed)}
    for variant in range(recipe.variants):
        pools[f"dialogues-{variant}"] = partial(varied, talks, variant, voice=True)
        pools[f"more-{variant}"] = partial(further, variant)
        pools[f"made-{variant}"] = partial(made, variant)
        pools[f"wit-{variant}"] = partial(varied, witty, variant, voice=False)
        pools[f"long-{variant}"] = partial(varied, lengthy, variant, voice=False)
    pools["prose"] = partial(_books, texts, recipe.prose_megabytes, recipe.seed)
    return pools


def _clean(conversations: Iterable[Conversation]) -> list[tuple[str, list[str]]]:
    """(source, turns) of all parts that are fit, of the conversations that are not held out."""
    return [
        (conversation.source, turns)
        for conversation in tqdm(conversations, "reading dialogues", unit="")
        if not conversation.held_out
        for turns in clean_turns(conversation.turns)
    ]


def _weighted(talks: Iterable[tuple[str, list[str]]], rng: Random) -> list[Drawn]:
    """Each as often as its source's weight says, rounded at random, with its kinds of preamble."""
    return [
        (kinds_of(source), turns) for source, turns in talks for _ in range(_times(source, rng))
    ]


def _written(passages: Sequence[Passage], seed: int) -> Iterator[tuple[str, list[str]]]:
    """(kind of preamble, turns) of the conversations made of lines and of short texts."""
    yield from witty_turns(tqdm(passages, "wit", unit=""), Random(seed))
    yield from meetings(Random(seed))
    yield from quizzes(Random(seed))
    yield from echoing(Random(seed))
    yield from (("storyteller", turns) for turns in tales(Random(seed)))


def _made(share: float, rng: Random) -> list[Drawn]:
    """Talks of `training.texts.talks`, MADE of each kind or fewer; other ones for another `rng`."""
    count = max(1, round(MADE * min(1.0, share)))
    return [((kind,), talk(kind, rng)) for kind in KINDS for _ in range(count)]


def _examples(
    talks: Iterable[Drawn], witty: Iterable[Drawn], rng: Random
) -> dict[str, list[list[str]]]:
    """For each kind of preamble the conversations from which example turns are taken."""
    examples = defaultdict(list)
    for kinds, turns in talks:
        for kind in sorted(set(kinds)):
            examples[kind].append(voiced(turns[:EXAMPLE_TURNS], kind, rng))
    for (kind,), turns in witty:
        examples[kind].append(turns)
    for kind in KINDS:  # of a corpus so small that nothing was written for it
        examples[kind].append(talk(kind, rng))
    return examples


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
    shares = {
        "plain": 0.2,
        "dialogues-0": 0.3,
        "more-0": 0.1,
        "made-0": 0.1,
        "wit-0": 0.1,
        "prose": 0.2,
    }
    for name, share in tqdm(shares.items(), "tokenizer", unit=" pools"):
        room = share * megabytes * MEGABYTE
        for document in pools[name]():
            if room <= 0:
                break
            room -= len(document)
            yield document

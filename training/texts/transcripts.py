"""A conversation as a document for training.

The form is the one in which the app asks for a reply: a preamble and an empty line, or neither,
then one line a turn, `label: text`. Labels, preamble and example turns vary, so that the model
follows whatever a persona brings; plain `A: ...`, `B: ...` lines are what evaluation reads.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

from training.texts.asides import interrupted, remembered
from training.texts.corpus import NAME_GAP
from training.texts.voices import voiced

PHRASES = tomllib.loads((Path(__file__).parent / "lines" / "phrases.toml").read_text("utf-8"))
PLAIN_LABELS = ("A", "B")

PART_CHARACTERS = (1500, 5000)
"""A conversation is cut into parts of about so many characters, each with its own preamble."""

PREAMBLE_SHARE = 0.75
EXAMPLES_SHARE = 0.35  # of those with a preamble
EXAMPLE_TURNS = 6  # at most
PLAIN_LABELS_SHARE = 0.1
NAMES_SHARE = 0.25
INTERRUPTED_SHARE = 0.25  # of the corpus' conversations with a preamble
REMEMBERED_SHARE = 0.15  # of the corpus' conversations


def transcript(
    turns: Sequence[str], labels: tuple[str, str] = PLAIN_LABELS, preamble: str = ""
) -> str:
    """The turns as lines, the first speaker's label first, the preamble before them if any."""
    lines = "".join(f"{labels[index % 2]}: {turn}\n" for index, turn in enumerate(turns))
    return f"{preamble}\n\n{lines}" if preamble else lines


def kinds_of(source: str) -> tuple[str, ...]:
    """The kinds of preamble that suit a source's conversations, the plainest first."""
    for kind, sources in _OF_ONE_KIND.items():
        if source in sources:
            return (kind,)
    kinds = ("friendly", "grok", "grok", "tutor")
    return (*kinds, "assistant" if source == "topical-chat" else "friendly")


def variations(
    turns: Sequence[str],
    kinds: Sequence[str],
    examples: Mapping[str, Sequence[Sequence[str]]],
    rng: Random,
    *,
    voice: bool,
) -> Iterator[str]:
    """The conversation in parts, each as a document with labels and preamble drawn from `rng`.

    `examples` holds, for each kind, the conversations from which example turns are taken. With
    `voice` the replies after a preamble are given the voice that it promises.
    """
    for part in _parts(turns, rng):
        told = rng.random() < PREAMBLE_SHARE
        kind = rng.choice(kinds) if told else kinds[0]
        labels = _draw_labels(kind, rng)
        preamble = ""
        if told:
            preamble = rng.choice(PHRASES["preambles"][kind])
            preamble = preamble.format(user=labels[0], grok=labels[1])
            if voice:
                part = voiced(part, kind, rng)
                if rng.random() < INTERRUPTED_SHARE:
                    part = interrupted(part, kind, rng)
            if rng.random() < EXAMPLES_SHARE:
                example = rng.choice(examples[kind])
                pairs = min(rng.randint(1, EXAMPLE_TURNS // 2), len(example) // 2)
                part = [*example[: 2 * pairs], *part]
        if voice and kind != "tutor" and rng.random() < REMEMBERED_SHARE:
            part = remembered(part, rng)
        careless = rng.random() < 0.5  # people type as they like, but the replies are good English
        said = [
            turn if careless and index % 2 == 0 else polish(turn)
            for index, turn in enumerate(introduce(part, _names(labels, rng)))
        ]
        yield transcript(said, labels, preamble)


def introduce(turns: Sequence[str], names: tuple[str, str]) -> list[str]:
    """The turns with the speakers' names where the corpus left gaps for them."""

    def fill(gap: re.Match[str], speaker: int) -> str:
        if number := gap[1] or gap[2]:
            return names[int(number) - 1]
        own = _OWN_NAME.search(gap.string[: gap.start()])
        return names[speaker if own else 1 - speaker]

    return [
        NAME_GAP.sub(lambda gap, speaker=index % 2: fill(gap, speaker), turn)  # type: ignore[misc]
        for index, turn in enumerate(turns)
    ]


def polish(turn: str) -> str:
    """The turn with capitals at the beginnings of sentences, and common slips mended."""
    turn = _SLIP.sub(lambda slip: _SLIPS[slip[0].lower()], turn)
    turn = _LONE_I.sub("I", turn)
    return _SENTENCE.sub(lambda start: start[0].upper(), turn)


_OF_ONE_KIND = {
    "assistant": (
        *("schema-guided", "multiwoz", "taskmaster-4", "dolly", "piqa", "gsm8k", "made-sums"),
        *("word-sums", "made-facts", "wordnet", "arc", "openbookqa", "natural-questions", "ecqa"),
        *("creak", "common-sense", "strategyqa", "entailment-bank"),
    ),
    "storyteller": ("fairytale-qa", "aesop"),
    "friendly": ("jokes", "riddles", "proverbs", "personality-chat"),
}
_OWN_NAME = re.compile(r"(?:I'm|I am|name is|name's|this is|call me)\s*$", re.IGNORECASE)
_LONE_I = re.compile(r"(?<![\w.'-])i(?![\w.-])")
_SENTENCE = re.compile(r"^[a-z]|(?<!\.)(?<!\.\w)[.!?] +[a-z]")
_SLIPS = {
    "cant": "can't",
    "couldnt": "couldn't",
    "didnt": "didn't",
    "doesnt": "doesn't",
    "dont": "don't",
    "im": "I'm",
    "isnt": "isn't",
    "ive": "I've",
    "thats": "that's",
    "theres": "there's",
    "wasnt": "wasn't",
    "whats": "what's",
    "wouldnt": "wouldn't",
    "youre": "you're",
}
_SLIP = re.compile(rf"\b(?:{'|'.join(_SLIPS)})\b", re.IGNORECASE)


def _parts(turns: Sequence[str], rng: Random) -> Iterator[Sequence[str]]:
    """The turns in parts of an even number, the last one excepted."""
    start, room = 0, rng.uniform(*PART_CHARACTERS)
    for end in range(2, len(turns) - 1, 2):
        room -= len(turns[end - 2]) + len(turns[end - 1])
        if room < 0:
            yield turns[start:end]
            start, room = end, rng.uniform(*PART_CHARACTERS)
    yield turns[start:]


def _draw_labels(kind: str, rng: Random) -> tuple[str, str]:
    lot = rng.random()
    if lot < PLAIN_LABELS_SHARE:
        return PLAIN_LABELS
    if lot < PLAIN_LABELS_SHARE + NAMES_SHARE:
        return draw_names(rng)
    return rng.choice(PHRASES["labels"]["user"]), rng.choice(PHRASES["labels"][kind])


def _names(labels: tuple[str, str], rng: Random) -> tuple[str, str]:
    """What the speakers are called: by their labels, where these are names."""
    known = (*PHRASES["labels"]["names"], "Grok")
    first, second = (
        label if label in known else drawn
        for label, drawn in zip(labels, draw_names(rng), strict=True)
    )
    return first, second


def draw_names(rng: Random) -> tuple[str, str]:
    """Two names of people."""
    first, second = rng.sample(PHRASES["labels"]["names"], 2)
    return first, second

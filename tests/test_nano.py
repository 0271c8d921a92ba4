"""What is promised of the default model, as far as it can be told without the corpus.

Its figures on held-out text are in its card; a model that fails here is not to be shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import product
from statistics import mean

import pytest

from bench.looking_back import named, spelled
from grok_app import Engine
from grok_app.chat import Persona, Turn, build_prompt, load_personas
from tests.app_process import ROOT
from training.evaluate import bits_per_byte
from training.facts import right_facts
from training.replies import shows_label
from training.scoring import Scorer
from training.transcripts import transcript

PERSONAS = [persona for persona in load_personas(ROOT / "prompts") if persona.labels]
SEEDS = range(3)

OPENINGS = [
    "Good morning! How are you?",
    "What did you do on the weekend?",
    "I think it is going to rain.",
    "Do you have any pets?",
    "My favorite book is about pirates.",
    "Can you find me a hotel in Chicago?",
    "Tell me something about the moon.",
    "What is a friend?",
]
SMALL_TALK = ("Hello there.", "Hello! It is good to see you.", "Do you like music?", "Yes, I do.")
TALKS = [
    [
        "Hi there! How are you doing today?",
        "I am doing great, thanks! I just got back from the park with my dog.",
        "Oh nice, what kind of dog do you have?",
        "She is a little brown poodle. Do you have any pets?",
        "I have two cats, but I would love to have a dog some day.",
        "Cats are fun too! What are their names?",
    ],
    [
        "Hello, I am looking for a place to eat tonight.",
        "Sure! What kind of food would you like, and in which city?",
        "Something Italian in Oakland, please. Not too expensive.",
        "I found a nice place on Main Street. Would you like me to book a table?",
        "Yes, for two people at 7 pm.",
        "Your table is booked. Is there anything else I can help you with?",
    ],
]


def said(nano: Engine, persona: Persona, turns: Sequence[str], seed: int) -> str:
    """The reply that a reader of the page would see."""
    tokenizer = nano.tokenizer
    assert tokenizer
    told = [Turn("assistant" if at % 2 else "user", text) for at, text in enumerate(turns)]
    longest = persona.sampling.max_tokens
    prompt = build_prompt(
        persona, told, lambda text: len(tokenizer.encode(text)), nano.context, longest
    )
    settings = asdict(replace(persona.sampling, max_tokens=prompt.room))
    pieces = nano.generate(prompt.text, stop=persona.stops, seed=seed, **settings)
    return "".join(piece.text for piece in pieces).strip()


def replies(
    nano: Engine, persona: Persona, messages: Sequence[str], before: Sequence[str]
) -> list[tuple[str, str]]:
    """Each message with its reply, some seeds each."""
    asked = list(product(messages, SEEDS))
    with ThreadPoolExecutor(nano.slots) as pool:
        made = pool.map(lambda one: said(nano, persona, [*before, one[0]], one[1]), asked)
        return [(message, reply) for (message, _), reply in zip(asked, made, strict=True)]


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.slug)
@pytest.mark.parametrize("before", [(), SMALL_TALK], ids=["at once", "in a talk"])
def test_a_reply_ends_by_itself_and_shows_no_label(nano, persona, before) -> None:
    made = replies(nano, persona, OPENINGS, before)
    assert all(reply for _, reply in made)
    labelled = [one for one in made if shows_label(one[1], persona)]
    assert not labelled
    long = [one for one in made if len(one[1].split()) > 60]
    assert len(long) <= 0.05 * len(made), long


def test_it_finds_what_was_said_before(nano) -> None:
    first, again = spelled(nano, 20)
    assert again < 0.1 * first
    first, again = named(nano)
    assert again < 0.5 * first


def test_it_has_learnt_to_talk(nano) -> None:
    """Two talks that are in no training text, and facts that are told and come again."""
    scorer = Scorer.load(ROOT / "assets" / "nano")
    bits, _ = bits_per_byte(scorer, nano.tokenizer, {"own": [transcript(talk) for talk in TALKS]})
    assert bits["own"] < 0.85
    right = right_facts(scorer, nano.tokenizer)
    assert mean(right.values()) > 0.7

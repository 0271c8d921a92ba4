"""What is promised of the default model, as far as it can be told without the corpus.

Its figures on held-out text are in its card; a model that fails here is not to be shipped.
"""

from __future__ import annotations

from statistics import mean

from bench.looking_back import named, spelled
from tests.app_process import ROOT
from tests.nano import at_once_or_later, each_persona
from training.report.evaluate import bits_per_byte
from training.report.facts import right_facts
from training.report.replies import replies_of, shows_label
from training.report.scoring import Scorer
from training.texts.transcripts import transcript

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
LONG = " ".join(
    f"In room {n} of the old hotel there stood a {thing}, and nobody knew who had left it there."
    for n, thing in enumerate(("clock", "red chair", "box of letters", "bird cage", "lamp") * 4)
)
CHAT = [f"{name}: {said}" for name, said in zip(["Ann", "Bert"] * 9, OPENINGS * 3, strict=False)]
LONG_MESSAGES = [
    LONG,
    f"What do you think of this?\n\n{LONG}",
    LONG.replace(". In", ".\n\nIn"),
    "\n".join(CHAT),
    "\n".join(CHAT) + "\n\nWho is right?",
]


@each_persona
@at_once_or_later
def test_a_reply_ends_by_itself_and_shows_no_label(nano, persona, before) -> None:
    made = [reply.text for reply in replies_of(nano, persona, OPENINGS * 3, before)]
    assert all(made)
    assert not [text for text in made if shows_label(text, persona)]
    long = [text for text in made if len(text.split()) > 60]
    assert len(long) <= 0.05 * len(made), long


@each_persona
def test_a_long_message_is_answered_and_not_continued(nano, persona) -> None:
    made = [reply.text for reply in replies_of(nano, persona, LONG_MESSAGES * 3)]
    assert all(made)
    continued = [
        text
        for text in made
        if shows_label(text, persona) or "of the old hotel" in text or len(text) > 400
    ]
    assert len(continued) <= 0.1 * len(made), continued


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

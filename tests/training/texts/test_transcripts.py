"""Conversations as documents: the very form of serving, labels and names that agree."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest

from grok_app.chat.persona import load_persona
from grok_app.chat.prompt import Turn, build_prompt
from tests.app_process import ROOT
from training.texts.transcripts import PHRASES, introduce, kinds_of, polish, transcript, variations

TURNS = ["hi, i'm [name]. whats up", "Not much, [name]. I'm [User 2's name].", "im glad", "Me too."]
EXAMPLES = {kind: [["Is it late?", "Later than ever."]] for kind in PHRASES["preambles"]}


def documents(turns: list[str], kinds: tuple[str, ...], count: int = 400) -> list[str]:
    rng = Random(1)
    return [
        text for _ in range(count) for text in variations(turns, kinds, EXAMPLES, rng, voice=True)
    ]


def test_a_plain_transcript() -> None:
    assert transcript(["Hi.", "Ho.", "Hm."]) == "A: Hi.\nB: Ho.\nA: Hm.\n"


def test_every_variation_ends_its_lines_and_labels_every_turn() -> None:
    for text in documents(TURNS, ("friendly", "grok")):
        preamble, _, lines = text.rpartition("\n\n")
        assert "\n" not in preamble
        assert lines.endswith("\n")
        labels = [line.partition(": ")[0] for line in lines.splitlines()]
        put_in = 2 + 4 + 8  # an example, two exchanges with a machine, two facts told and asked for
        assert len(labels) in range(len(TURNS), len(TURNS) + put_in + 1, 2)
        assert re.search(r"(?i)i'?m glad", lines)
        assert "Me too." in lines
        assert len(set(labels)) == 2
        assert labels == labels[:2] * (len(labels) // 2)
        assert "{" not in text
        assert "[" not in text


def test_labels_preambles_and_examples_vary() -> None:
    texts = documents(TURNS, ("grok",))
    pairs = Counter(
        tuple(line.partition(":")[0] for line in text.splitlines()[-2:]) for text in texts
    )
    assert pairs["User", "Grok"] > 50
    assert pairs["A", "B"] > 20
    assert len(pairs) > 80
    assert 50 < sum("\n\n" not in text for text in texts) < 150
    assert 60 < sum("Later than ever." in text for text in texts) < 160


def test_the_same_seed_gives_the_same_documents() -> None:
    assert documents(TURNS, ("grok",), 5) == documents(TURNS, ("grok",), 5)


def test_names_fill_the_gaps_as_the_speakers_would() -> None:
    assert introduce(TURNS, ("Eva", "Tom"))[:2] == [
        "hi, i'm Eva. whats up",
        "Not much, Eva. I'm Tom.",
    ]


def test_grok_is_called_grok() -> None:
    for text in documents(TURNS, ("grok",)):
        if "\nGrok: Not much" in text:
            assert "I'm Grok." in text


def test_replies_are_polished_whether_or_not_the_user_is_careless() -> None:
    said = ["what did you say", "i dont know. thats it"] * 2
    texts = documents(said, ("friendly",))
    assert all(text.count(": I don't know. That's it\n") == 2 for text in texts)
    assert 100 < sum(": what did you say\n" in text for text in texts) < 300


@pytest.mark.parametrize(
    ("said", "polished"),
    [
        ("i think so. me too", "I think so. Me too"),
        ("well... maybe, i.e. no", "Well... maybe, i.e. no"),
        ("I'm Tom, im here", "I'm Tom, I'm here"),
        ("50 times", "50 times"),
    ],
)
def test_polish(said: str, polished: str) -> None:
    assert polish(said) == polished


def test_long_conversations_are_cut_between_exchanges() -> None:
    turns = [f"This is turn {number}. " + "Indeed. " * 20 for number in range(101)]
    texts = documents(turns, ("friendly",), 1)
    assert 4 <= len(texts) <= 13
    lines = [line for text in texts for line in text.splitlines() if "This is turn" in line]
    assert [line.partition(": ")[2] for line in lines] == turns


def test_a_voice_is_heard_only_after_a_preamble_that_promises_it() -> None:
    texts = documents(TURNS, ("friendly", "tutor"))
    told = [text.partition("\n\n")[2] for text in texts if "\n\n" in text]
    asking = [text for text in told if "Me too." not in text]
    assert 100 < len(asking) < 200
    for text in asking:
        assert all(line.endswith("?") for line in text.splitlines()[-3::2])
    assert all("Me too." in text for text in texts if "\n\n" not in text)


def test_the_helpful_are_from_where_people_are_helped() -> None:
    assert kinds_of("schema-guided") == ("assistant",)
    assert kinds_of("anything")[0] == "friendly"
    assert {"grok", "tutor"} < set(kinds_of("anything"))


def test_training_and_serving_agree_on_the_form() -> None:
    persona = load_persona(ROOT / "prompts" / "10-grok.toml")
    assert persona.labels is not None
    turns = [Turn("user", "Hello."), Turn("assistant", "Hello yourself."), Turn("user", "Bye.")]
    served = build_prompt(persona, turns, str.encode, context=10_000, max_tokens=100).text
    examples = [text for example in persona.examples for text in (example.user, example.assistant)]
    labels = (persona.labels.user, persona.labels.assistant)
    said = [*examples, *(turn.text for turn in turns), "See you."]
    assert transcript(said, labels, persona.preamble) == served + " See you.\n"

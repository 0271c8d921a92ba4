"""Tales: whatever fills a plot's slots, it stays the same to the end and reads as English."""

from __future__ import annotations

import re
from random import Random

import pytest

from training.texts.corpus import is_rude
from training.texts.english import capitalized, with_article
from training.texts.tales import LINES, draw_cast, tales
from training.texts.transcripts import polish

PLOTS = LINES["plots"]


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot["beats"][0][0][:40])
def test_a_plot_keeps_to_what_it_is_about(plot) -> None:
    first, *rest = (" ".join(beat) for beat in plot["beats"])
    for slot in plot["about"]:
        own = re.compile(rf"{{[a-zA-Z_]*{slot}}}|{{name}}" if slot == "hero" else rf"{{\w*{slot}}}")
        assert own.search(first), slot
        assert sum(bool(own.search(beat)) for beat in rest) >= 1, slot
    for beat in plot["beats"]:
        for text in beat:
            told = text.format_map(draw_cast(plot, Random(text)))
            assert told.isascii()
            assert polish(told) == told
            assert told[0].isupper() or told[0] == '"'
            assert re.search(r'[.!?]"?$', told), told
            assert 40 <= len(told) <= 260
            assert not is_rude(told)


def test_a_cast_is_of_one_mind_about_who_is_who() -> None:
    for seed in range(300):
        cast = draw_cast(PLOTS[seed % len(PLOTS)], Random(seed))
        sex = cast["he"]
        assert cast["hero"] in LINES["slots"]["heroes"][sex]
        assert cast["name"] in LINES["slots"]["names"][sex]
        assert cast["foe"] in LINES["slots"]["foes"][cast["foe_he"]]
        assert cast["foe"] != cast["hero"]
        assert cast["A_hero"].endswith(cast["hero"])


def test_nothing_is_drawn_that_a_plot_has_already() -> None:
    for plot in PLOTS:
        own = " ".join(text for beat in plot["beats"] for text in beat).lower()
        for seed in range(100):
            cast = draw_cast(plot, Random(seed))
            for slot in ("hero", "foe", "thing", "animal", "place"):
                assert not re.search(rf"\b{cast[slot]}\b", own)


@pytest.mark.parametrize(
    "phrase",
    [
        *("a unicorn", "an umbrella", "an uncle", "an heir", "a university", "a union", "an hour"),
        *(
            "a use",
            "an owl",
            "a one-eyed cat",
            "an onion",
            "an honest man",
            "a house",
            "a European",
        ),
    ],
)
def test_an_article_goes_by_the_sound(phrase: str) -> None:
    assert with_article(phrase.partition(" ")[2]) == phrase


def test_tales_are_asked_for_by_what_is_in_them_and_told_to_their_end() -> None:
    told = list(tales(Random(0)))
    asked_for = [turns for turns in told if "about a" in turns[0]]
    assert asked_for
    for turns in told:
        assert len(turns) % 2 == 0
        assert min(len(plot["beats"]) for plot in PLOTS) <= len(turns) // 2
    for turns in asked_for:
        thing = re.search(r"about (an? [a-z ]+?)(?: and|,|[.?]?$)", turns[0])
        assert thing, turns[0]
        assert thing[1].split(" ", 1)[1] in turns[1], turns[:2]


def test_a_tale_may_begin_with_the_very_words_it_was_asked_for_by() -> None:
    announced = 0
    asked_for = [turns for turns in tales(Random(0)) if turns[0].startswith("Begin a tale of ")]
    for ask, reply, *_ in asked_for:
        about = ask.removeprefix("Begin a tale of ").removesuffix(".")
        openers = {
            opener.format(about=about, About=capitalized(about)) for opener in LINES["openers"]
        }
        announced += any(reply.startswith(f"{opener} ") for opener in openers)
    assert 0.25 < announced / len(asked_for) < 0.55


def test_a_thing_is_described_once_and_stays_the_same() -> None:
    described = 0
    for seed in range(300):
        cast = draw_cast(PLOTS[seed % len(PLOTS)], Random(seed))
        for noun in ("thing", "animal", "place"):
            adjective = cast[f"a_{noun}"].removesuffix(cast[noun]).split()[1:]
            assert len(adjective) <= 1
            assert set(adjective) <= set(LINES["slots"]["adjectives"])
            described += len(adjective)
    assert 250 < described < 450

"""Tales made from plots: a hero, a trouble, an end, told a little at a time.

A book cut into short replies has the sound of a story and no sense. A plot keeps its hero and its
lantern from the first sentence to the last, which is what a small model can learn.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from training.texts.english import capitalized, with_article

LINES = tomllib.loads((Path(__file__).parent / "lines" / "tales.toml").read_text("utf-8"))

TALES = 60
"""Conversations that begin with a plot, for each plot."""

NIGHT_SHARE = 0.5  # of the tales of a night are asked for as such
ASKED_FOR_SHARE = 0.75  # of the others are asked for by something in them
ANNOUNCED_SHARE = 0.4  # of these begin with what they are about
DESCRIBED_SHARE = 0.4  # of the nouns that are no person have an adjective
AGAIN_SHARE = 0.4  # of the conversations ask for one more when a tale is over


def tales(rng: Random) -> Iterator[list[str]]:
    """The turns of conversations in which a tale or a few are asked for and told to their end."""
    plots = LINES["plots"]
    for plot in plots * TALES:
        turns = list(_told(plot, _way_to_ask(plot, rng), rng))
        while rng.random() < AGAIN_SHARE:
            turns += _told(rng.choice(plots), "again", rng)
        yield turns


def _told(plot: Mapping[str, Any], way: str, rng: Random) -> Iterator[str]:
    """A tale, asked for in one of the ways to ask."""
    cast = draw_cast(plot, rng)
    about = " and ".join(cast[f"a_{slot}"] for slot in plot["about"])
    opener = ""
    if way == "about" and rng.random() < ANNOUNCED_SHARE:
        opener = rng.choice(LINES["openers"]).format(about=about, About=capitalized(about)) + " "
    for beat in plot["beats"]:
        yield rng.choice(LINES["asks"][way]).format(about=about)
        yield opener + rng.choice(beat).format_map(cast)
        way, opener = "next", ""


def _way_to_ask(plot: Mapping[str, Any], rng: Random) -> str:
    """For what the tale is about; for any tale; for one of the night, where it is one."""
    if plot["night"] and rng.random() < NIGHT_SHARE:
        return "night"
    return "about" if rng.random() < ASKED_FOR_SHARE else "any"


def draw_cast(plot: Mapping[str, Any], rng: Random) -> dict[str, str]:
    """What stands for each slot of a plot: who the tale is of, and what, and where.

    `hero` and `foe` come with their pronouns, a noun with its article, and whatever can begin
    a sentence with a capital too: `a_hero`, `A_hero`, `he`, `He`, `foe_his`. Nobody and nothing
    is drawn that the plot has already.
    """
    slots, cast = _fitting("\n".join(text for beat in plot["beats"] for text in beat)), {}
    sex, other = rng.choice(_PRONOUNS), rng.choice(_PRONOUNS)
    cast["name"] = rng.choice(LINES["slots"]["names"][sex[0]])
    cast["hero"] = rng.choice(slots["heroes", sex[0]])
    cast["foe"] = rng.choice([foe for foe in slots["foes", other[0]] if foe != cast["hero"]])
    cast["thing"] = rng.choice(slots["things", ""])
    cast["animal"] = rng.choice(slots["animals", ""])
    cast["place"] = rng.choice([it for it in slots["places", ""] if it != cast["thing"]])
    cast |= {f"a_{noun}": with_article(cast[noun]) for noun in ("hero", "foe")}
    cast |= {f"a_{noun}": with_article(_described(cast[noun], rng)) for noun in _THINGS}
    cast |= dict(zip(("he", "him", "his", "himself"), sex, strict=True))
    cast |= dict(zip(("foe_he", "foe_him", "foe_his", "foe_himself"), other, strict=True))
    return cast | {capitalized(key): capitalized(text) for key, text in cast.items()}


def _described(noun: str, rng: Random) -> str:
    """The noun, or the noun after an adjective if it has none."""
    if " " in noun or rng.random() >= DESCRIBED_SHARE:
        return noun
    return f"{rng.choice(LINES['slots']['adjectives'])} {noun}"


@cache
def _fitting(plot: str) -> dict[tuple[str, str], list[str]]:
    """The nouns for each slot, by sex where they have one, that the plot does not use itself."""
    slots = LINES["slots"]
    nouns = {(kind, sex): slots[kind][sex] for kind in ("heroes", "foes") for sex in ("he", "she")}
    nouns |= {(f"{kind}s", ""): slots[f"{kind}s"] for kind in _THINGS}
    return {
        slot: [noun for noun in of_slot if not re.search(rf"\b{noun}s?\b", plot.lower())]
        for slot, of_slot in nouns.items()
    }


_THINGS = ("thing", "animal", "place")
_PRONOUNS = (("he", "him", "his", "himself"), ("she", "her", "her", "herself"))

"""Tales made from plots: a hero, a trouble, an end, told a little at a time.

A book cut into short replies has the sound of a story and no sense. A plot keeps its hero and its
lantern from the first sentence to the last, which is what a small model can learn.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

LINES = tomllib.loads((Path(__file__).parent / "lines" / "tales.toml").read_text("utf-8"))

TALES = 60
"""Conversations that begin with a plot, for each plot."""

ASKED_FOR_SHARE = 0.75  # of the tales are asked for by something in them
AGAIN_SHARE = 0.4  # of the conversations ask for one more when a tale is over


def tales(rng: Random) -> Iterator[list[str]]:
    """The turns of conversations in which a tale or a few are asked for and told to their end."""
    plots = LINES["plots"]
    for plot in plots * TALES:
        turns = list(_told(plot, rng))
        while rng.random() < AGAIN_SHARE:
            turns += _told(rng.choice(plots), rng)
        yield turns


def _told(plot: Mapping[str, Any], rng: Random) -> Iterator[str]:
    cast = draw_cast(rng)
    for number, beat in enumerate(plot["beats"]):
        yield _ask(plot, cast, rng) if number == 0 else rng.choice(LINES["asks"]["next"])
        yield rng.choice(beat).format_map(cast)


def _ask(plot: Mapping[str, Any], cast: Mapping[str, str], rng: Random) -> str:
    """For a tale of what it is about; for any tale; for one of the night, where it is one."""
    asks = LINES["asks"]
    if plot["night"] and rng.random() < 0.5:
        return str(rng.choice(asks["night"]))
    if rng.random() < ASKED_FOR_SHARE:
        about = " and ".join(cast[f"a_{slot}"] for slot in plot["about"])
        return str(rng.choice(asks["about"])).format(about=about)
    return str(rng.choice(asks["any"]))


def draw_cast(rng: Random) -> dict[str, str]:
    """What stands for each slot of a plot: who the tale is of, and what, and where.

    `hero` and `foe` come with their pronouns, a noun with its article, and whatever can begin
    a sentence with a capital too: `a_hero`, `A_hero`, `he`, `He`, `foe_his`.
    """
    slots, cast = LINES["slots"], {}
    sex, other = rng.choice(_PRONOUNS), rng.choice(_PRONOUNS)
    cast["name"] = rng.choice(slots["names"][sex[0]])
    cast["hero"] = rng.choice(slots["heroes"][sex[0]])
    cast["foe"] = rng.choice([foe for foe in slots["foes"][other[0]] if foe != cast["hero"]])
    cast["thing"], cast["animal"] = rng.choice(slots["things"]), rng.choice(slots["animals"])
    preposition, _, cast["place"] = rng.choice(slots["places"]).partition(" ")
    for noun in ("hero", "foe", "thing", "animal", "place"):
        cast[f"a_{noun}"] = f"{'an' if cast[noun][0] in 'aeiou' else 'a'} {cast[noun]}"
        cast[f"the_{noun}"] = f"the {cast[noun]}"
    cast["in_place"] = f"{preposition} {cast['a_place']}"
    cast |= dict(zip(("he", "him", "his", "himself"), sex, strict=True))
    cast |= dict(zip(("foe_he", "foe_him", "foe_his", "foe_himself"), other, strict=True))
    return cast | {
        key[0].upper() + key[1:]: text[0].upper() + text[1:] for key, text in cast.items()
    }


_PRONOUNS = (("he", "him", "his", "himself"), ("she", "her", "her", "herself"))

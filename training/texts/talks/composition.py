"""A whole talk: a greeting, something told, a few scenes, what was told asked for, a farewell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from training.texts.talks.everyday import days, opinions, plans, troubles, unknown
from training.texts.talks.knowledge import jokes, lists, rhymes, things, words
from training.texts.talks.numbers import comparisons, counting, sums, word_problems
from training.texts.talks.stories import stories
from training.texts.talks.told import CORRECTED_SHARE, Told, untold
from training.texts.talks.voice import Talk

EXCHANGES = (2, 5)  # of a talk: four to ten turns
HELLO_SHARE, BYE_SHARE = 0.25, 0.2
TOLD_SHARE = 0.4  # of the talks that are long enough
LONG = 3  # exchanges: what is told comes at the first and is asked for four turns later, or more

Scene = Callable[[Talk], Iterator[None]]
SCENES: dict[Scene, float] = {
    **{sums: 5, comparisons: 1, counting: 1.5, word_problems: 1.5},
    **{things: 4, lists: 3, words: 2, rhymes: 1.5, jokes: 2},
    **{troubles: 3.5, plans: 2, days: 3, unknown: 2, opinions: 2.5, untold: 1},
}
"""How often each comes, in proportion."""

TALES = {stories: 14.0}
"""What a storyteller is asked for beside them."""


def talk(kind: str, rng: Random) -> list[str]:
    """The turns of a talk of a person with a kind of persona, the same for the same `rng`."""
    made = Talk(kind, rng)
    turns = 2 * rng.randint(*EXCHANGES)
    fact = Told(made) if turns >= 2 * LONG and rng.random() < TOLD_SHARE else None
    bye = turns >= 2 * (LONG + (fact is not None)) and rng.random() < BYE_SHARE
    room = turns - 2 * (bye + (fact is not None))
    for scene in _scenes(made, fact, room):
        for _ in scene:
            if len(made.turns) >= room:
                break
        if len(made.turns) >= room:
            break
    if fact:
        fact.recall(made)
    if bye:
        _farewell(made)
    return made.turns


def _scenes(made: Talk, fact: Told | None, room: int) -> Iterator[Iterator[None]]:
    """What is talked about in so many turns, one thing after the other; each at most once."""
    left = SCENES | (TALES if made.kind == "storyteller" else {})
    if fact:
        yield fact.tell(made, CORRECTED_SHARE if room > 2 * LONG else 0)
    elif made.rng.random() < HELLO_SHARE:
        yield _greeting(made)
    while left:
        scene = made.rng.choices(list(left), list(left.values()))[0]
        del left[scene]
        yield scene(made)


def _greeting(made: Talk) -> Iterator[None]:
    made.exchange(made.ask("hello"), "hello")
    yield
    if made.rng.random() < 0.3:
        made.exchange(made.ask("how"), "how")
        yield


def _farewell(made: Talk) -> None:
    """It comes back to a name or to what was talked about, where there is any."""
    if made.name:
        made.exchange(made.ask("bye"), "bye_name", name=made.name)
    elif made.about:
        made.exchange(made.ask("bye"), "bye_about", about=made.about)
    else:
        made.exchange(made.ask("bye"), "bye")

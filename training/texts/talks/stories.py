"""Short tales whose parts are kept, so that questions about them have an answer."""

from __future__ import annotations

from collections.abc import Iterator

from training.texts.english import with_article
from training.texts.talks.voice import Talk, filled, read

LINES = read("stories")
_PRONOUNS = {"he": ("him", "his"), "she": ("her", "her")}
ASKED_SHARE = 0.5  # after each part of a tale something in it is asked about


def stories(talk: Talk) -> Iterator[None]:
    """A tale in four parts with questions between them: why, who, where, what."""
    rng, slots = talk.rng, _draw(talk)
    known: list[str] = []
    parts = (
        ("tale", "begin", ("why", "name", "where")),
        ("tale_next", "meet", ("who", "gift")),
        ("tale_next", "help", ()),
        ("tale_end", "end", ()),
    )
    for asked, part, questions in parts:
        talk.add(talk.ask(asked, **slots), LINES[part], slots)
        yield
        known += questions
        if known and rng.random() < ASKED_SHARE:
            about = known.pop(rng.randrange(len(known)))
            talk.add(talk.ask(f"tale_{about}", **slots), LINES[about], slots)
            yield


def _draw(talk: Talk) -> dict[str, str]:
    """Who the tale is of, and all that is in it."""
    rng = talk.rng
    role, he = rng.choice(LINES["roles"])
    him, his = _PRONOUNS[he]
    slots = {"role": role, "a_role": with_article(role), "he": he, "him": him, "his": his}
    slots["name"] = rng.choice(LINES["names"][he])
    goal, why, end = rng.choice(LINES["goals"])
    helper, deed = rng.choice(LINES["helpers"])
    drawn = {"goal": goal, "why": why, "end": end, "helper": helper, "deed": deed}
    drawn |= {"gift": rng.choice(LINES["gifts"]), "place": rng.choice(LINES["places"])}
    return slots | {key: filled(text, slots) for key, text in drawn.items()}

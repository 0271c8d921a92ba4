"""Animals and things that are asked about, with questions that refer back; words and lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from training.texts.talks.voice import Talk, read

_THINGS, _WORDS = read("things"), read("words")
LISTS, JOKES = read("lists")["lists"], read("jokes")
ORDINALS = ("first", "second", "third")

CLEARLY = 2  # times as big is bigger without a doubt


class Thing(NamedTuple):
    """A row of things.toml: the plural, two things that are told of it, a question and its reason.

    Of an animal these are where it lives and what it eats; of a thing what it is for and made of.
    """

    name: str
    what: str
    first: str
    second: str
    question: str
    reason: str
    size: int
    animal: bool


THINGS = [
    *(Thing._make([*row, True]) for row in _THINGS["animals"]),
    *(Thing._make([*row, False]) for row in _THINGS["things"]),
]


def things(talk: Talk) -> Iterator[None]:
    """What some things are, and what is asked about "them" and about others."""
    rng = talk.rng
    this = rng.choice(THINGS)
    others = [it for it in THINGS if it.animal == this.animal and it is not this]
    if rng.random() < 0.15:
        asked, this = this, others.pop(rng.randrange(len(others)))
        talk.exchange(
            talk.ask("about", x=asked.name), "tell", clause=f"{asked.name} are {asked.what}"
        )
        yield
        meant = talk.ask("about_meant", x=asked.name, y=this.name)
    else:
        meant = talk.ask("about", x=this.name)
    talk.exchange(meant, "tell", clause=f"{this.name} are {this.what}")
    yield
    for part in rng.sample(("first", "second", "why", "bigger"), 4):
        if part == "why":
            talk.exchange(talk.typed(this.question), "because", why=this.reason)
        elif part == "bigger":
            far = [it for it in THINGS if it.size >= CLEARLY * this.size]
            far += [it for it in THINGS if this.size >= CLEARLY * it.size]
            other = rng.choice(far)
            big, small = sorted((this, other), key=lambda it: -it.size)
            x, y = rng.sample((this.name, other.name), 2)
            talk.exchange(talk.ask("bigger", x=x, y=y), "bigger", big=big.name, small=small.name)
        else:
            intent, clause = _told(this, part)
            talk.exchange(talk.ask(intent), "tell", clause=clause.format("they"))
            if this.animal and rng.random() < 0.4:
                yield
                other = others.pop(rng.randrange(len(others)))
                clause = _told(other, part)[1].format(other.name)
                talk.exchange(talk.ask(f"other_{intent}", y=other.name), "tell", clause=clause)
        yield


def _told(this: Thing, part: str) -> tuple[str, str]:
    """How it is asked for, and the answer's clause with a gap for the name."""
    if part == "first":
        return (
            ("where", f"{{}} live {this.first}")
            if this.animal
            else ("use", f"{{}} are for {this.first}")
        )
    return (
        ("food", f"{{}} eat {this.second}")
        if this.animal
        else ("made", f"{{}} are made of {this.second}")
    )


def lists(talk: Talk) -> Iterator[None]:
    """Three of a kind, then the second one, the best one, another one, and why."""
    rng = talk.rng
    this = rng.choice(LISTS)
    reasons = dict(this["items"])
    items = rng.sample(list(reasons), len(reasons))
    named, rest, what = items[:3], items[3:], this["what"]
    a, b, c = named
    talk.exchange(talk.ask("list3", what=what), "list3", what=what, a=a, b=b, c=c)
    yield
    for way in rng.sample(("more", "pick", "nth", "why_one"), 4):
        place = rng.randrange(3)
        slots = {"nth": ORDINALS[place], "a": named[place], "why": reasons[named[place]]}
        if way == "more":
            talk.exchange(talk.ask("more"), "more", a=rest.pop(), what=what)
        elif way == "pick":
            talk.exchange(talk.ask("pick"), "pick", **slots)
            yield
            if rng.random() < 0.4:
                talk.exchange(talk.typed("Why that one?"), "why_one", **slots)
            else:
                continue
        else:
            talk.exchange(talk.ask(way, **slots), way, **slots)
        yield


def words(talk: Talk) -> Iterator[None]:
    """What a word means, a sentence with it, its opposite; then another one."""
    rows = talk.rng.sample(_WORDS["definitions"], len(_WORDS["definitions"]))
    for said, means, example, opposite in rows:
        word, opp = (_bare(text) for text in (said, opposite))
        talk.exchange(talk.ask("define", word=word), "define", word=word, means=means)
        yield
        if talk.rng.random() < 0.6:
            talk.exchange(talk.ask("example", word=word), "example", example=example)
            yield
        if opp and talk.rng.random() < 0.6:
            talk.exchange(talk.ask("opposite", word=word), "opposite", word=word, opp=opp)
            yield


def _bare(word: str) -> str:
    """The word without "a", "an" or "to"."""
    first, _, rest = word.partition(" ")
    return rest if first in ("a", "an", "to") else word


def rhymes(talk: Talk) -> Iterator[None]:
    """Words that rhyme, and one more."""
    for row in talk.rng.sample(_WORDS["rhymes"], len(_WORDS["rhymes"])):
        word, a, b, more = talk.rng.sample(row, 4)
        talk.exchange(talk.ask("rhyme", word=word), "rhyme", word=word, a=a, b=b)
        yield
        if talk.rng.random() < 0.5:
            talk.exchange(talk.ask("rhyme_more"), "rhyme_more", word=word, a=more)
            yield


def jokes(talk: Talk) -> Iterator[None]:
    """Jokes, or riddles where the persona has these; what is not understood is explained."""
    rng, asked = talk.rng, "joke"
    for row in rng.sample(JOKES[talk.kind], len(JOKES[talk.kind])):
        text, *answer, why = row
        opening = asked if asked == "joke_more" else "riddle" if answer else "joke"
        talk.exchange(talk.ask(opening), "joke", joke=text)
        asked = "joke_more"
        yield
        if answer:
            talk.exchange(talk.ask("give_up"), "answer", answer=answer[0])
            yield
        if rng.random() < 0.4:
            talk.exchange(talk.ask("joke_why"), "joke_why", why=why)
            yield
        if rng.random() < 0.3:
            talk.exchange(talk.ask("joke_liked"), "joke_liked")
            yield

"""What people talk about every day: troubles, plans, their day, opinions, what nobody can know."""

from __future__ import annotations

from collections.abc import Iterator

from training.texts.talks.knowledge import ORDINALS
from training.texts.talks.voice import Talk, read

HELP, DAYS = read("help"), read("days")


def troubles(talk: Talk) -> Iterator[None]:
    """A small trouble, a step against it, why it helps, another step, thanks."""
    rng = talk.rng
    this = rng.choice(HELP["troubles"])
    steps = rng.sample(this["steps"], len(this["steps"]))
    do, why = steps.pop()
    said = talk.typed(rng.choice(this["user"]))
    talk.exchange(said, "step", trouble=this["about"], do=do)
    yield
    while True:
        way = rng.choices(("why", "next", "thanks"), (2, 3, 1))[0]
        if way == "why" and why:
            talk.exchange(talk.ask("step_why"), "step_why", do=do, why=why)
            why = ""
        elif way == "next" and steps:
            do, why = steps.pop()
            talk.exchange(talk.ask("step_next"), "step_next", do=do)
        else:
            talk.exchange(talk.ask("thanks"), "welcome")
            yield
            return
        yield


def plans(talk: Talk) -> Iterator[None]:
    """A plan in three parts; another day, a part again, a part changed."""
    rng = talk.rng
    this = rng.choice(HELP["plans"])
    days = rng.sample(HELP["days"]["when"], 2)
    parts = [rng.choice(this[part]) for part in ("first", "then", "last")]
    slots = {"what": this["what"], "when": days[0], "day": days[0].removeprefix("on ")}
    slots |= dict(zip(("first", "then", "last"), parts, strict=True))
    talk.about = f"the {this['what'].partition(' ')[2]}"
    talk.exchange(talk.ask("plan", **slots), "plan", **slots)
    yield
    for way in rng.sample(("replan", "nth", "swap"), 3):
        place = rng.randrange(3)
        if way == "replan":
            day = days[1].removeprefix("on ")
            talk.exchange(talk.ask("replan", day=day), "replan", day=day, first=parts[0])
        elif way == "nth":
            nth = ORDINALS[place]
            talk.exchange(talk.ask("plan_nth", nth=nth), "plan_nth", nth=nth, do=parts[place])
        else:
            key = ("first", "then", "last")[place]
            parts[place] = rng.choice([do for do in this[key] if do != parts[place]])
            asked = talk.ask("plan_swap", nth=ORDINALS[place])
            talk.exchange(asked, "plan_swap", do=parts[place])
        yield


def days(talk: Talk) -> Iterator[None]:
    """Good or bad news of a day; the persona asks, the person answers."""
    rng = talk.rng
    mood = rng.choice(("good", "bad"))
    this = rng.choice(DAYS[mood])
    about, question = this["about"], this["question"]
    talk.exchange(talk.typed(rng.choice(this["user"])), mood, about=about, question=question)
    yield
    talk.exchange(talk.typed(rng.choice(this["answers"])), f"after_{mood}", about=about)
    talk.about = about if mood == "good" else talk.about
    yield


def unknown(talk: Talk) -> Iterator[None]:
    """A question that nobody here can answer; why not; a guess."""
    rng = talk.rng
    this = rng.choice(DAYS["unknown"])
    asked = talk.typed(rng.choice(this["user"]))
    talk.exchange(asked, "unknown", why=this["why"], instead=this["instead"])
    yield
    for way in rng.sample(("unknown_why", "guess"), 2):
        slots = {"why": this["why"], "guess": rng.choice(this["guesses"])}
        talk.exchange(talk.ask(way), way, **slots)
        yield


def opinions(talk: Talk) -> Iterator[None]:
    """What one thinks of a thing, what speaks against it, and whether another one is better."""
    rng = talk.rng
    (x, pro, con), (y, *_) = rng.sample(DAYS["opinions"]["rows"], 2)
    slots = {"x": x, "y": y, "pro": pro, "con": con}
    first, second = rng.choice((("like", "con"), ("choose", "con"), ("like", "choose")))
    talk.exchange(talk.ask(first, **slots), first, **slots)
    yield
    talk.exchange(talk.ask(second, **slots), second, **slots)
    yield

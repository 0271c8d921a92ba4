"""Sums, comparisons and counting, every answer computed.

Mostly up to 20, where a small model can be sure; now and then up to 100.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from training.texts.talks.voice import Talk, read

SURE, LARGEST = 20, 100
LARGE_SHARE = 0.12  # of the sums go beyond SURE
SPELLED_SHARE = 0.25  # of the sums are written in words, and answered so

THINGS = (
    *("apples", "coins", "stamps", "marbles", "books", "eggs", "shells", "plums", "buttons"),
    *("cards", "sheep", "roses", "pencils", "cookies", "stones", "candles", "nuts", "balls"),
)
WORDS = read("words")["counted"]
NAMES = [name for of in ("women", "men") for name in read("told")["values"][of]]


@dataclass(frozen=True)
class Sum:
    """Two numbers, what is done with them, and what comes of it."""

    a: int
    b: int
    sign: str
    result: int

    def written(self, rng: Random, *, spelled: bool) -> str:
        """Such as "3 + 4", "3 plus 4" or "three plus four"."""
        name = _SIGNS[self.sign]
        if spelled:
            return f"{in_words(self.a)} {name} {in_words(self.b)}"
        return f"{self.a} {self.sign if rng.random() < 0.5 else name} {self.b}"

    def way(self) -> str:
        """How it is done, as a clause."""
        a, b, r = self.a, self.b, self.result
        return {
            "+": f"you start at {a}, count {b} further and come to {r}",
            "-": f"you start at {a}, go {b} back and come to {r}",
            "x": f"you add up {b} as often as {a} says and come to {r}",
            "/": f"you see how often {b} fits into {a}, and it fits {r} times",
        }[self.sign]


def draw_sum(rng: Random) -> Sum:
    """A sum whose numbers and result are whole, not negative and mostly at most SURE."""
    top = LARGEST if rng.random() < LARGE_SHARE else SURE
    sign = rng.choices("+-x/", (5, 4, 3, 1))[0]
    if sign in "+-":
        total = rng.randint(0, top)
        part = rng.randint(0, total)
        return Sum(part, total - part, "+", total) if sign == "+" else of_minus(total, part)
    a = rng.randint(1, 10)
    b = rng.randint(1, min(10, top // a))
    return Sum(a, b, "x", a * b) if sign == "x" else Sum(a * b, a, "/", b)


def of_minus(a: int, b: int) -> Sum:
    """a - b."""
    return Sum(a, b, "-", a - b)


def in_words(number: int) -> str:
    """The number from 0 to 100 in English words."""
    if number < len(_SMALL):
        return _SMALL[number]
    if number == LARGEST:
        return "one hundred"
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_SMALL[ones]}" if ones else "")


def numbers_in(text: str) -> list[int]:
    """The numbers in a text, in digits or in words, but for "one", which often means a thing."""
    return [
        int(found) if found.isdigit() else _SPELLED[found]
        for found in _NUMBER.findall(text.lower())
        if found != "one"
    ]


def sums(talk: Talk) -> Iterator[None]:
    """A sum, and what is asked about it or after it."""
    rng = talk.rng
    spelled = rng.random() < SPELLED_SHARE
    this = _ask_sum(talk, draw_sum(rng), "sum", spelled=spelled)
    yield
    while True:
        way = rng.choices(("next", "sure", "how", "wrong", "meant", "more"), (4, 1, 2, 1, 1, 3))[0]
        shown = {"q": this.written(rng, spelled=spelled), "r": _number(this.result, spelled)}
        if way in ("next", "meant"):
            this = _ask_sum(talk, draw_sum(rng), f"sum_{way}", spelled=spelled)
        elif way == "more":
            this = _change(talk, this, spelled=spelled)
        elif way == "how":
            talk.exchange(talk.ask("sum_how", **shown), "sum_how", how=this.way(), **shown)
        elif way == "wrong":
            wrong = _number(max(0, this.result + rng.choice((-2, -1, 1, 2, 3))), spelled)
            if wrong == shown["r"]:
                wrong = _number(this.result + 1, spelled)
            talk.exchange(talk.ask("sum_wrong", w=wrong, **shown), "sum_wrong", **shown)
        else:
            talk.exchange(talk.ask("sum_sure"), "sum_sure", **shown)
        yield


def _ask_sum(talk: Talk, this: Sum, intent: str, *, spelled: bool) -> Sum:
    written = this.written(talk.rng, spelled=spelled)
    asked = "sum_any" if intent == "sum" and this.sign != "+" else intent
    reply = "sum_meant" if intent == "sum_meant" else "sum"
    talk.exchange(talk.ask(asked, q=written), reply, q=written, r=_number(this.result, spelled))
    return this


def _change(talk: Talk, this: Sum, *, spelled: bool) -> Sum:
    """The result and some more, or less: what was said before is to be remembered."""
    rng, start = talk.rng, this.result
    top = SURE if start <= SURE else LARGEST
    if start == top or (start > 1 and rng.random() < 0.5):
        changed, intent = of_minus(start, rng.randint(1, start)), "sum_less"
    else:
        more = rng.randint(1, min(10, top - start))
        changed, intent = Sum(start, more, "+", start + more), "sum_more"
    asked = talk.ask(intent, n=_number(changed.b, spelled))
    written = changed.written(rng, spelled=spelled)
    talk.exchange(asked, "sum", q=written, r=_number(changed.result, spelled))
    return changed


def comparisons(talk: Talk) -> Iterator[None]:
    """Which of two numbers is more, and by how much; and again."""
    rng = talk.rng
    while True:
        small = rng.randint(0, SURE - 2)
        big = rng.randint(small + 2, SURE)
        a, b = rng.sample((small, big), 2)
        slots = {"big": str(big), "small": str(small), "d": str(big - small)}
        talk.exchange(talk.ask("compare", a=str(a), b=str(b)), "compare", **slots)
        yield
        if rng.random() < 0.6:
            talk.exchange(talk.ask("compare_by"), "compare_by", **slots)
            yield


def counting(talk: Talk) -> Iterator[None]:
    """Letters of words, neighbors of numbers, numbers in order."""
    rng = talk.rng
    words = rng.sample(WORDS, len(WORDS))
    asked = "letters"
    while True:
        way = rng.choice(("letters", "after", "before", "sorted"))
        number = rng.randint(2, SURE - 1)
        if way == "letters":
            word = words.pop()
            talk.exchange(talk.ask(asked, word=word), "letters", word=word, n=str(len(word)))
            asked = "letters_next" if rng.random() < 0.5 else "letters"
            yield
            continue
        asked = "letters"
        if way == "sorted":
            some = rng.sample(range(SURE + 1), 3)
            mixed, order = ("{}, {} and {}".format(*them) for them in (some, sorted(some)))
            talk.exchange(talk.ask("sorted", mixed=mixed), "sorted", sorted=order)
        else:
            other = number + 1 if way == "after" else number - 1
            talk.exchange(talk.ask(way, m=str(number)), way, m=str(number), n=str(other))
        yield


def word_problems(talk: Talk) -> Iterator[None]:
    """Somebody has some things and gets or loses some."""
    rng = talk.rng
    while True:
        total = rng.randint(4, SURE)
        part = rng.randint(2, total - 2)
        slots = {"name": rng.choice(NAMES), "things": rng.choice(THINGS)}
        if rng.random() < 0.5:
            asked = talk.ask("story_add", a=str(part), b=str(total - part), **slots)
            talk.exchange(asked, "story_sum", r=str(total), **slots)
        else:
            asked = talk.ask("story_less", a=str(total), b=str(part), **slots)
            talk.exchange(asked, "story_sum", r=str(total - part), **slots)
        yield


def _number(number: int, spelled: bool) -> str:
    return in_words(number) if spelled and number <= LARGEST else str(number)


_SIGNS = {"+": "plus", "-": "minus", "x": "times", "/": "divided by"}
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SPELLED = {in_words(number): number for number in range(LARGEST + 1)}
_NUMBER = re.compile(rf"\b(?:\d+|{'|'.join(sorted(_SPELLED, key=len, reverse=True))})\b")

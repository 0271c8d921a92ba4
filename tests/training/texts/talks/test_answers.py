"""What is answered in the made talks is right: sums, counting, what was told, what was listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random

import pytest

from training.texts.talks.everyday import HELP, plans
from training.texts.talks.knowledge import LISTS, THINGS, lists, things
from training.texts.talks.numbers import (
    SURE,
    comparisons,
    counting,
    draw_sum,
    in_words,
    sums,
    word_problems,
)
from training.texts.talks.stories import stories
from training.texts.talks.told import FACTS, VALUES, Told, untold
from training.texts.talks.voice import KINDS, Talk

Scene = Callable[[Talk], Iterator[None]]
WORDS = {in_words(number): str(number) for number in range(101)}
SPELLED = re.compile(rf"\b(?:{'|'.join(sorted(WORDS, key=len, reverse=True))})\b")
SIGNS = {"plus": "+", "minus": "-", "times": "x", "divided by": "/"}
SUM = re.compile(rf"(\d+) (\+|-|x|/|{'|'.join(SIGNS)}) (\d+)")
CHANGE = re.compile(r"\b(more|add|plus|less|away|subtract|minus|take)\b")
ITEMS = {item: reason for of in LISTS for item, reason in of["items"]}


def made(scene: Scene, kind: str, seed: int, turns: int = 8) -> list[str]:
    """So many turns of a scene, or fewer where it ends before."""
    talk = Talk(kind, Random(f"{kind} {seed}"))
    for _ in scene(talk):
        if len(talk.turns) >= turns:
            break
    return talk.turns


def talks(scene: Scene, count: int = 150) -> Iterator[list[str]]:
    return (made(scene, kind, seed) for kind in KINDS for seed in range(count))


def pairs(talk: list[str]) -> Iterator[tuple[str, str]]:
    return zip(talk[::2], talk[1::2], strict=True)


def numbers(text: str) -> list[int]:
    digits = SPELLED.sub(lambda found: WORDS[found[0]], text.lower())
    return [int(number) for number in re.findall(r"\d+", digits)]


def result_of(text: str) -> int | None:
    """What the sum in a text comes to, None if there is none."""
    found = SUM.search(SPELLED.sub(lambda word: WORDS[word[0]], text.lower()))
    if not found:
        return None
    a, b = int(found[1]), int(found[3])
    sign = SIGNS.get(found[2], found[2])
    return {"+": a + b, "-": a - b, "x": a * b, "/": a // b if b else 0}[sign]


def test_sums_are_right_and_go_on_from_what_was_said() -> None:
    asked_anew = went_on = 0
    for talk in talks(sums, 300):
        before = None
        for asked, reply in pairs(talk):
            result = result_of(asked)
            if result is not None:
                asked_anew += 1
            elif before is not None and CHANGE.search(asked.lower()):
                (change,) = numbers(asked)
                less = re.search(r"less|away|subtract|minus|take", asked.lower())
                result = before - change if less else before + change
                went_on += 1
            else:
                result = before
            assert result in numbers(reply), talk
            before = result
    assert asked_anew > 2500
    assert went_on > 500


def test_a_sum_is_told_with_no_other_number() -> None:
    """So that its answer is the number that a reader takes for it."""
    for talk in talks(sums):
        asked, reply = talk[:2]
        allowed = {*numbers(asked), result_of(asked)} | {1}  # "one" is no number in "Try this one"
        assert {*numbers(reply)} <= allowed, talk


def test_most_sums_are_small_and_all_are_whole() -> None:
    drawn = [draw_sum(Random(seed)) for seed in range(20_000)]
    assert all(result_of(it.written(Random(0), spelled=False)) == it.result >= 0 for it in drawn)
    assert all(it.a == it.b * it.result for it in drawn if it.sign == "/")
    small = [it for it in drawn if max(it.a, it.b, it.result) <= SURE]
    assert 0.85 < len(small) / len(drawn) < 0.97
    assert len({(it.a, it.b) for it in small if it.sign == "+"}) == 231  # all that there are
    assert len({(it.a, it.b) for it in drawn if it.sign == "x"}) == 100


def test_the_way_to_a_sum_names_its_result() -> None:
    for seed in range(500):
        this = draw_sum(Random(seed))
        assert {this.a, this.b, this.result} <= {*numbers(this.way())}


def test_the_larger_number_is_named_and_the_difference() -> None:
    for talk in talks(comparisons):
        for asked, reply in pairs(talk):
            if found := numbers(asked):
                big, small = max(found), min(found)
                assert big in numbers(reply)
            else:
                assert big - small in numbers(reply), talk


def test_counts_are_right() -> None:
    for talk in talks(counting):
        for asked, reply in pairs(talk):
            if word := re.search(r'"(\w+)"', asked):
                assert len(word[1]) in numbers(reply), talk
            elif len(found := numbers(asked)) == 3:
                assert [int(number) for number in re.findall(r"\d+", reply)] == sorted(found)
            else:
                step = -1 if "before" in asked.lower() else 1
                assert found[0] + step in numbers(reply), talk


def test_word_problems_are_right() -> None:
    for talk in talks(word_problems):
        for asked, reply in pairs(talk):
            a, b = (int(number) for number in re.findall(r"\d+", asked))
            less = re.search(r"gave away|loses|sold", asked)
            assert (a - b if less else a + b) in numbers(reply), talk


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_told_last_is_found_later(kind: str) -> None:
    for seed in range(200):
        talk = Talk(kind, Random(seed))
        fact = Told(talk)
        for _ in fact.tell(talk, corrected=0.5):
            pass
        assert fact.value.lower() in talk.turns[-2].lower()
        fact.recall(talk)
        assert fact.value in talk.turns[-1]


def test_what_was_not_told_is_not_known_until_it_is() -> None:
    values = {value for fact in FACTS for value in VALUES[fact["values"]]}
    for talk in talks(untold, 50):
        assert not [value for value in values if re.search(rf"\b{value}\b", talk[1])], talk
        assert [value for value in values if value in talk[5]], talk


def test_the_second_one_is_the_one_that_was_named_second() -> None:
    checked = 0
    for talk in talks(lists):
        found = {item: re.search(rf"(?<!\w){item}(?!\w)", talk[1], re.I) for item in ITEMS}
        places = {item: match.start() for item, match in found.items() if match}
        named = sorted(places, key=lambda item: places[item])
        for asked, reply in pairs(talk[2:]):
            nth = re.search(r"\b(first|second|third)\b", asked)
            if nth and len(named) == 3:
                this = named[("first", "second", "third").index(nth[1])]
                assert this.lower() in reply.lower(), talk
                assert "why" not in asked.lower() or ITEMS[this] in reply, talk
                checked += 1
    assert checked > 500


def test_they_are_the_things_that_were_asked_about() -> None:
    for talk in talks(things):
        about = [it for it in THINGS if it.name in f"{talk[0]} {talk[2]}".lower()]
        for asked, reply in pairs(talk):
            if "do they live?" in asked:
                assert any(it.first in reply for it in about), talk
            if "made of" in asked:
                assert any(it.second in reply for it in about), talk
            if "igger" in asked:
                one, other = (it for it in THINGS if re.search(rf"\b{it.name}\b", asked, re.I))
                assert re.search(max(one, other, key=lambda it: it.size).name, reply, re.I), talk


def test_a_plan_keeps_its_parts_until_they_are_changed() -> None:
    checked = 0
    for talk in talks(plans):
        for asked, reply in pairs(talk[2:]):
            nth = re.search(r"first|second|third", asked)
            if not nth or re.search(r"like|change|not for me|else", asked):
                break
            parts = {do for plan in _plans() for do in plan if do in talk[1]}
            assert any(do in reply for do in parts), talk
            checked += 1
    assert checked > 100


def _plans() -> list[list[str]]:
    return [[*plan["first"], *plan["then"], *plan["last"]] for plan in HELP["plans"]]


def test_questions_about_a_tale_are_answered_from_it() -> None:
    asked_for = 0
    for seed in range(300):
        talk = made(stories, "storyteller", seed, 10)
        (name,) = re.findall(r"(?:called|lived|They tell of \w+,|,) ([A-Z]\w+)", talk[1])[:1] or [
            ""
        ]
        for asked, reply in pairs(talk[2:]):
            if re.search(r"name|called|who was it, again", asked, re.I):
                assert name in reply, talk
                asked_for += 1
    assert asked_for > 30

"""Short texts as conversations: what is asked for, what is left out."""

from __future__ import annotations

import re
from random import Random

from training.texts.corpus import Passage
from training.texts.definitions import LINES
from training.texts.wit import witty_turns

DICTIONARY = """\
PREFACE

Not a definition.

RAIN, n.  What falls on the just, who lent
the unjust an umbrella.

    A verse about it, which is left out.

SUN, MIDNIGHT, n.  Not to be found.

TO-MORROW, adv.  A day much praised by _idle_ people.
"""

JARGON = """\
foobar
 /foo'bar/, n.

    [from somewhere] 1. A thing without a {name}. See also {quux}. 2. Something
    else.

    More about it.

quux
 //

    {Foobar}'s elder brother.
"""


def turns_of(source: str, text: str, title: str = "") -> list[tuple[str, str, str]]:
    """What comes of one text, apart from the definitions that come anyhow."""
    passages = [Passage(source, title, text, held_out=False)]
    made = {text[1:] for texts in LINES["words"].values() for text in texts}
    made |= {text[1:] for kind in LINES["kinds"].values() for text in kind["definitions"]}
    return [
        (kind, question, answer)
        for kind, turns in witty_turns(passages, Random(0))
        for question, answer in zip(turns[::2], turns[1::2], strict=True)
        if not made & {part[1:] for part in (answer, *re.split(" (?:is|are) ", answer, maxsplit=1))}
    ]


def test_a_cynics_definitions() -> None:
    found = sorted(turns_of("devil", DICTIONARY), key=lambda found: found[2])
    assert [answer for _, _, answer in found] == [
        "A day much praised by idle people.",
        "What falls on the just, who lent the unjust an umbrella.",
    ]
    assert {kind for kind, _, _ in found} == {"cynic"}
    assert "to-morrow" in found[0][1].lower()


def test_jargon_without_its_pointers() -> None:
    answers = [answer for _, _, answer in turns_of("jargon", JARGON)]
    assert sorted(answers) == ["A thing without a name.", "Foobar's elder brother."]


def test_fortunes_by_their_form() -> None:
    ((kind, question, answer),) = turns_of(
        "fortunes", "Mud, n.:\n\tWhat a path\n\tis made of.", "definitions"
    )
    assert (kind, answer) == ("cynic", "What a path is made of.")
    assert "mud" in question.lower()
    riddle = turns_of("fortunes", "Q:\tWhy is it late?\nA:\tBecause it was early.", "riddles")
    assert riddle == [("grok", "Why is it late?", "Because it was early.")]
    ((_, _, quip),) = turns_of("fortunes", 'Be brief.\n\t\t-- Somebody, "Something"', "wisdom")
    assert quip == "Be brief."


def test_what_is_rude_long_or_of_another_kind_is_left_out() -> None:
    assert turns_of("fortunes", "What a pile of shit.", "wisdom") == []
    assert turns_of("fortunes", "On and on. " * 30, "wisdom") == []
    assert turns_of("fortunes", "<nick> a line of chat", "knghtbrd") == []

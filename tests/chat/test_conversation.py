"""The tree: branches, versions, nothing lost, and its JSON form."""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok_app.chat import Conversation, Made, Sampling
from grok_app.errors import ConversationError


def talk(*texts: str) -> Conversation:
    made = Conversation()
    for number, text in enumerate(texts):
        made = made.replied(text) if number % 2 else made.said(text)
    return made


def shown(conversation: Conversation) -> list[str]:
    return [turn.text for turn in conversation.turns]


def test_a_conversation_grows_turn_by_turn() -> None:
    talked = talk("Hello", "Hi", "How are you?")
    assert shown(talked) == ["Hello", "Hi", "How are you?"]
    assert [turn.role for turn in talked.turns] == ["user", "assistant", "user"]
    assert talked.replied("") == talked


def test_the_first_message_gives_the_title() -> None:
    assert talk("  What is\nlove? ", "A word.", "Really?").title == "What is love?"
    title = talk("word " * 100).title
    assert len(title) < 70
    assert title.endswith("word ...")
    assert replace(Conversation(), title="Mine").said("Hello").title == "Mine"


def test_an_edit_begins_a_branch_and_keeps_the_old_one() -> None:
    before = talk("Hello", "Hi", "How are you?", "Well.")
    edited = before.edited(2, "Who are you?").replied("Grok.")
    assert shown(edited) == ["Hello", "Hi", "Who are you?", "Grok."]
    assert len(edited.versions(2)) == 2
    back = edited.leafed(2, -1)
    assert shown(back) == shown(before)
    assert shown(back.leafed(2, 1)) == shown(edited)


def test_an_edit_longer_than_can_be_kept_is_refused() -> None:
    with pytest.raises(ConversationError, match="the turn would have 200,001 characters"):
        talk("Hello").edited(0, "x" * 200_001)


def test_what_was_said_meanwhile_is_caught_up_with() -> None:
    before = talk("Hello", "Hi", "How are you?")
    answered = before.replied("Well")
    assert before.caught_up(answered) == answered
    assert before.caught_up(before) == before
    elsewhere = before.upto(0)  # the visitor looks at something else by now
    assert shown(elsewhere.caught_up(answered)) == ["Hello"]
    assert elsewhere.caught_up(answered).nodes == answered.nodes
    anew = before.upto(-1)
    assert shown(anew.caught_up(before)) == []


def test_half_a_character_becomes_a_question_mark_and_the_rest_stays() -> None:
    half = "so \ud83d far"
    made = Made(half, half, 7, stop=(half,), begun=half, facts=half)
    raw = talk(half, "Hi").replied(half, made).edited(0, half)
    raw.to_json().encode()
    assert raw.title == "so ? far"
    assert {node.text for node in raw.nodes} == {"so ? far", "Hi"}
    node = {"parent": None, "role": "user", "text": half, "made": asdict(made)}
    broken = {"id": half, "title": half, "persona": half, "nodes": [node], "leaf": 0}
    opened = Conversation.from_json(json.dumps(broken))
    assert shown(opened) == ["so ? far"]
    assert "\ud83d" not in str(asdict(opened))
    assert Conversation.from_json(opened.to_json()) == opened


def test_another_conversation_is_not_caught_up_with() -> None:
    before = talk("Hello", "Hi")
    assert before.caught_up(replace(before.said("So?"), id="another")) == before
    assert before.caught_up(replace(talk("Good-bye", "Bye", "?"), id=before.id)) == before


def test_leafing_stops_at_both_ends() -> None:
    edited = talk("One", "1").edited(0, "Two")
    assert shown(edited.leafed(0, 1)) == ["Two"]
    assert shown(edited.leafed(0, -5)) == ["One", "1"]


def test_a_retry_adds_a_version_of_the_reply() -> None:
    first = talk("Hello", "Hi")
    second = first.upto(first.asked(1)).replied("Good day")
    assert shown(second) == ["Hello", "Good day"]
    assert [second.nodes[i].text for i in second.versions(1)] == ["Hi", "Good day"]


def test_leafing_shows_what_was_said_last_on_that_branch() -> None:
    tree = talk("A", "b", "C", "d")
    tree = tree.upto(1).said("E").replied("f")  # newer than C and d
    tree = tree.edited(0, "Z")
    assert shown(tree.leafed(0, -1)) == ["A", "b", "E", "f"]


def test_a_new_beginning_keeps_what_was_said() -> None:
    tree = talk("A", "b").upto(-1)
    assert shown(tree) == []
    tree = tree.said("Z")
    assert shown(tree) == ["Z"]
    assert len(tree.versions(0)) == 2


def test_what_was_taken_back_can_be_had_again() -> None:
    tree = talk("A", "b", "C", "d")
    assert shown(tree.upto(-1).newest()) == ["A", "b", "C", "d"]
    assert not Conversation().newest().path


ACTIONS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 9), st.text(max_size=9)), max_size=30
)


def grown(actions: list[tuple[int, int, str]]) -> Conversation:
    """A tree after any actions of a visitor."""
    made = Made(
        "grok", "0123", 7, Sampling(temperature=0.5), ("x",), "Once", "A fact.", ((1, 2), (3, 0))
    )
    tree = Conversation(persona="grok")
    for kind, number, text in actions:
        length = len(tree.path)
        if kind == 0 or not length:
            tree = tree.said(text)
            continue
        place = number % length
        match kind:
            case 1:
                tree = tree.replied(text, made)
            case 2:
                tree = tree.edited(place, text)
            case 3 | 4:
                tree = tree.leafed(place, 1 if kind == 3 else -1)
            case 5:
                tree = tree.upto(tree.asked(place))
            case 6:
                tree = tree.upto(place - 1)
    return tree


@given(ACTIONS)
def test_whatever_is_done_loses_no_turn_and_shows_one_branch(
    actions: list[tuple[int, int, str]],
) -> None:
    said = [text for kind, _, text in actions if kind == 0]
    tree = grown(actions)
    assert all(text in [node.text for node in tree.nodes] for text in said)
    path = tree.path
    assert all(tree.nodes[b].parent == a for a, b in pairwise(path))
    assert all(path[place] in tree.versions(place) for place in range(len(path)))


@given(ACTIONS)
def test_the_json_form_comes_back_as_it_was(actions: list[tuple[int, int, str]]) -> None:
    tree = grown(actions)
    assert Conversation.from_json(tree.to_json()) == tree


GOOD: dict[str, Any] = {
    **json.loads(talk("Hello", "Hi").to_json()),
    "id": "1",
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": 3}, "id of the conversation is 3"),
        ({"title": "x" * 10**6}, "1,000,000 characters"),
        ({"nodes": None}, "nodes is no list"),
        ({"nodes": [{}] * 10_001}, "nodes is no list"),
        ({"nodes": ["x"]}, "turn 1 is no object"),
        ({"nodes": [{"parent": 0, "role": "user", "text": ""}]}, "follows 0, no earlier turn"),
        ({"nodes": [{"parent": True, "role": "user", "text": ""}]}, "follows True"),
        ({"nodes": [{"parent": None, "role": "system", "text": ""}]}, "is of 'system'"),
        ({"nodes": [{"parent": None, "role": "user", "text": 5}]}, "text of turn 1 is 5"),
        ({"leaf": 2}, "leaf is 2, which is no turn"),
        ({"leaf": -1}, "leaf is -1"),
    ],
)
def test_what_is_no_conversation_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConversationError) as caught:
        Conversation.parse(GOOD | change)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (3, "made of turn 1 is no object"),
        ({"seed": -1}, "seed of turn 1 is -1"),
        ({"seed": 1, "stop": [1]}, "stop of turn 1"),
        ({"seed": 1, "experts": [[1.5]]}, "experts of turn 1"),
        ({"seed": 1, "sampling": {"temperature": "hot"}}, "sampling.temperature is 'hot'"),
        ({"seed": 1, "persona": []}, "persona of turn 1"),
    ],
)
def test_a_wrong_making_is_refused(made: Any, problem: str) -> None:
    node = {"parent": None, "role": "assistant", "text": "Hi", "made": made}
    with pytest.raises(ConversationError) as caught:
        Conversation.parse(GOOD | {"nodes": [node], "leaf": 0})
    assert problem in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["id", "nodes", "leaf", "parent", "role", "text", "made", "seed"]),
                inner,
                max_size=6,
            )
        ),
        max_leaves=20,
    )
)
def test_anything_else_is_refused_in_words(value: Any) -> None:
    with suppress(ConversationError):  # any other error fails
        tree = Conversation.parse(value)
        assert Conversation.from_json(tree.to_json()) == tree

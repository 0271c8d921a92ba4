"""The tree: branches, versions, nothing lost, and its JSON form."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok_app.chat import Conversation, Made, Node, Pending, Replay, Sampling
from grok_app.errors import ConversationError

MADE = Made(
    "grok", "0123", 7, Sampling(temperature=0.5), ("x",), "Once", "A fact.", ((1, 2), (3, 0))
)


def conversation_of(*texts: str) -> Conversation:
    made = Conversation()
    for number, text in enumerate(texts):
        made = made.with_reply(text) if number % 2 else made.with_message(text)
    return made


def texts(conversation: Conversation) -> list[str]:
    return [turn.text for turn in conversation.turns]


def test_a_conversation_grows_turn_by_turn() -> None:
    made = conversation_of("Hello", "Hi", "How are you?")
    assert texts(made) == ["Hello", "Hi", "How are you?"]
    assert [turn.role for turn in made.turns] == ["user", "assistant", "user"]
    assert made.with_reply("") == made


def test_the_first_message_gives_the_title() -> None:
    assert conversation_of("  What is\nlove? ", "A word.", "Really?").title == "What is love?"
    title = conversation_of("word " * 100).title
    assert len(title) < 70
    assert title.endswith("word ...")
    assert replace(Conversation(), title="Mine").with_message("Hello").title == "Mine"


def test_an_edit_begins_a_branch_and_keeps_the_old_one() -> None:
    before = conversation_of("Hello", "Hi", "How are you?", "Well.")
    edited = before.with_edit(2, "Who are you?").with_reply("Grok.")
    assert texts(edited) == ["Hello", "Hi", "Who are you?", "Grok."]
    assert len(edited.versions(2)) == 2
    back = edited.with_version(2, -1)
    assert texts(back) == texts(before)
    assert texts(back.with_version(2, 1)) == texts(edited)


def test_an_edit_longer_than_can_be_kept_is_refused() -> None:
    with pytest.raises(ConversationError, match="the turn would have 200,001 characters"):
        conversation_of("Hello").with_edit(0, "x" * 200_001)


def test_half_a_character_becomes_a_question_mark_and_the_rest_stays() -> None:
    half = "so \ud83d far"
    made = Made(half, half, 7, stop=(half,), begun=half, facts=half)
    raw = conversation_of(half, "Hi").with_reply(half, made).with_edit(0, half)
    raw.to_json().encode()
    assert raw.title == "so ? far"
    assert {node.text for node in raw.nodes} == {"so ? far", "Hi"}
    node = {"parent": None, "role": "user", "text": half, "made": asdict(made)}
    broken = {"id": half, "title": half, "persona": half, "nodes": [node], "leaf": 0}
    opened = Conversation.from_json(json.dumps(broken))
    assert texts(opened) == ["so ? far"]
    assert "\ud83d" not in str(asdict(opened))
    assert Conversation.from_json(opened.to_json()) == opened


def test_the_versions_have_two_ends() -> None:
    edited = conversation_of("One", "1").with_edit(0, "Two")
    assert texts(edited.with_version(0, 1)) == ["Two"]
    assert texts(edited.with_version(0, -5)) == ["One", "1"]


def test_a_retry_adds_a_version_of_the_reply() -> None:
    first = conversation_of("Hello", "Hi")
    second = first.cut_after(first.message_before(1)).with_reply("Good day")
    assert texts(second) == ["Hello", "Good day"]
    assert [second.nodes[i].text for i in second.versions(1)] == ["Hi", "Good day"]


def test_a_version_opens_what_was_added_last_on_its_branch() -> None:
    tree = conversation_of("A", "b", "C", "d")
    tree = tree.cut_after(1).with_message("E").with_reply("f")  # newer than C and d
    tree = tree.with_edit(0, "Z")
    assert texts(tree.with_version(0, -1)) == ["A", "b", "E", "f"]


def test_a_new_beginning_keeps_the_old_one() -> None:
    tree = conversation_of("A", "b").cut_after(-1)
    assert texts(tree) == []
    tree = tree.with_message("Z")
    assert texts(tree) == ["Z"]
    assert len(tree.versions(0)) == 2


def test_what_was_taken_back_can_be_had_again() -> None:
    tree = conversation_of("A", "b", "C", "d")
    assert texts(tree.cut_after(-1).continued()) == ["A", "b", "C", "d"]
    assert not Conversation().continued().path


def test_a_branch_that_goes_on_is_opened_to_its_newest_end() -> None:
    tree = conversation_of("A", "b", "C", "d").cut_after(1).with_message("E").cut_after(1)
    assert texts(tree.continued()) == ["A", "b", "E"]
    assert tree.continued().continued() == tree.continued()


def test_the_branch_of_a_pending_reply_ends_with_what_there_is_of_it() -> None:
    tree = conversation_of("A", "b")
    assert tree.answered() == tree
    waiting = replace(tree, pending=Pending("x", 0, MADE))
    assert texts(waiting.answered()) == ["A"]
    growing = replace(waiting, nodes=(*tree.nodes, Node(0, "assistant", "c", MADE, "x")))
    assert texts(growing.answered()) == ["A", "c"]
    assert texts(growing) == ["A", "b"]


ACTIONS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 9), st.text(max_size=9)), max_size=30
)


def grown(actions: list[tuple[int, int, str]]) -> Conversation:
    """A tree after any actions of a visitor."""
    tree = Conversation(persona="grok")
    for kind, number, text in actions:
        length = len(tree.path)
        if kind == 0 or not length:
            tree = tree.with_message(text)
            continue
        place = number % length
        match kind:
            case 1:
                tree = tree.with_reply(text, MADE)
            case 2:
                tree = tree.with_edit(place, text)
            case 3 | 4:
                tree = tree.with_version(place, 1 if kind == 3 else -1)
            case 5:
                tree = tree.cut_after(tree.message_before(place))
            case 6:
                tree = tree.cut_after(place - 1)
    return tree


@given(ACTIONS)
def test_whatever_is_done_loses_no_turn_and_opens_one_branch(
    actions: list[tuple[int, int, str]],
) -> None:
    sent = [text for kind, _, text in actions if kind == 0]
    tree = grown(actions)
    assert all(text in [node.text for node in tree.nodes] for text in sent)
    path = tree.path
    assert all(tree.nodes[b].parent == a for a, b in pairwise(path))
    assert all(path[place] in tree.versions(place) for place in range(len(path)))


@given(ACTIONS)
def test_the_arrows_reach_every_version(actions: list[tuple[int, int, str]]) -> None:
    tree = grown(actions)
    opened, new = {tree.leaf: tree}, [tree]
    while new:
        at = new.pop()
        for other in (at.continued(), *one_arrow_on(at)):
            if other.leaf not in opened:
                opened[other.leaf] = other
                new.append(other)
    assert {index for each in opened.values() for index in each.path} == {*range(len(tree.nodes))}


def one_arrow_on(conversation: Conversation) -> Iterator[Conversation]:
    """What the two arrows at each turn of the open branch open."""
    for place in range(len(conversation.path)):
        for step in (-1, 1):
            yield conversation.with_version(place, step)


@given(ACTIONS)
def test_the_json_form_comes_back_as_it_was(actions: list[tuple[int, int, str]]) -> None:
    tree = grown(actions)
    assert Conversation.from_json(tree.to_json()) == tree
    if tree.nodes:
        replay = Replay((Node(None, "user", "x"), Node(None, "assistant", "y", MADE)), 1, 2, "{}")
        growing = replace(tree.nodes[-1], reply="an id")
        pending = Pending("an id", len(tree.nodes) - 1, MADE)
        nodes = (*tree.nodes[:-1], growing)
        tree = replace(tree, nodes=nodes, pending=pending, replay=replay)
        assert Conversation.from_json(tree.to_json()) == tree


GOOD: dict[str, Any] = {
    **json.loads(conversation_of("Hello", "Hi").to_json()),
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
        ({"pending": 7}, "the reply that is being made is no object"),
        ({"pending": {"parent": 2}}, "follows 2, which is no turn"),
        ({"pending": {"parent": 0, "made": {"seed": "x"}}}, "the seed of turn 2 is 'x'"),
        ({"replay": []}, "what is left of its replay is no list"),
        ({"replay": {"turns": [7]}}, "what is left of its replay is no list"),
        ({"replay": {"turns": [], "foreign": -1}}, "the counts in its replay"),
        ({"replay": {"turns": [], "personas": {}}}, "personas of the conversation is {}"),
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


KEYS = "id nodes leaf parent role text made seed pending replay turns reply".split()  # noqa: SIM905


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(KEYS),
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

"""A conversation as a tree: a turn that is changed begins a branch, and nothing is lost.

Its JSON form is what a browser keeps, exports and imports:

    {"id": "5f0c...", "title": "What is love?", "persona": "grok", "leaf": 1, "nodes": [
        {"parent": null, "role": "user", "text": "What is love?"},
        {"parent": 0, "role": "assistant", "text": "A word.", "made": {"seed": 7, ...}}]}
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from grok_app.chat.persona import parse_sampling
from grok_app.chat.prompt import Turn, encodable
from grok_app.errors import ConversationError, PersonaError
from grok_app.sampling import SEEDS, Sampling

MOST_NODES = 10_000
LONGEST_TEXT = 200_000
LONGEST_TITLE = 60
LONGEST_ID = 64
_CANNOT_BE_OPENED = "this is no conversation that can be opened: {problem}"
_MADE_TEXTS = ("persona", "model", "begun", "facts")


@dataclass(frozen=True)
class Made:
    """How a reply was made, so that it can be made again.

    Attributes:
        persona: slug of who spoke.
        model: fingerprint of the model.
        seed: of its draws.
        sampling: settings in use.
        stop: texts that ended it, besides the persona's own.
        begun: how the reply was made to begin; the model wrote what follows.
        facts: the passages that it was given of the person's facts.
        experts: how many tokens each expert of each layer had a part in, [layers][experts].
    """

    persona: str
    model: str
    seed: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    begun: str = ""
    facts: str = ""
    experts: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Node:
    """A turn in the tree.

    Attributes:
        parent: index of the turn that it follows; None for a beginning.
        role: "user" or "assistant".
        text: what it says.
        made: how the model made it, of a reply; None for other turns.
        reply: id of the reply that is still being made, whose text so far this is; "" otherwise.
    """

    parent: int | None
    role: Literal["user", "assistant"]
    text: str
    made: Made | None = None
    reply: str = ""


@dataclass(frozen=True)
class Pending:
    """A reply that is being made; the browser keeps this so that it finds the reply again.

    Attributes:
        id: of the reply.
        parent: index of the turn that it follows.
        made: how it is made.
    """

    id: str
    parent: int
    made: Made


@dataclass(frozen=True)
class Replay:
    """What is left of a recorded conversation that is made again.

    Attributes:
        turns: the recorded turns that are still to come, the next one first.
        foreign: replies so far that another model had made, and that are shown as they were.
        differing: replies so far that came out in other words here.
        personas: files of the personas that came along with it, as JSON, by slug.
    """

    turns: tuple[Node, ...]
    foreign: int = 0
    differing: int = 0
    personas: str = ""


@dataclass(frozen=True)
class Conversation:
    """A tree of turns, and the branch of it that is open.

    Half a surrogate pair, which a page's stream could not carry, is a question mark in it, wherever
    its texts come from.

    Attributes:
        id: distinguishes it from all others.
        title: its name in a list.
        persona: slug of who answers.
        nodes: all turns, each after its parent.
        leaf: index of the last turn of the open branch; None before the first turn.
        pending: the reply that is being made, if there is one.
        replay: what is left to be made again, of a recorded conversation.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    title: str = ""
    persona: str = ""
    nodes: tuple[Node, ...] = ()
    leaf: int | None = None
    pending: Pending | None = None
    replay: Replay | None = None

    @property
    def path(self) -> list[int]:
        """Indices of the open branch's turns, from the first to the leaf."""
        return self.path_to(self.leaf)

    def path_to(self, index: int | None) -> list[int]:
        """Indices of the turns from the first to the one at `index`; none for None."""
        path = []
        while index is not None:
            path.append(index)
            index = self.nodes[index].parent
        return path[::-1]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The open branch as a prompt is built of it."""
        return self.turns_to(self.leaf)

    def turns_to(self, index: int | None) -> tuple[Turn, ...]:
        """The turns from the first to the one at `index`."""
        return tuple(Turn(self.nodes[i].role, self.nodes[i].text) for i in self.path_to(index))

    def versions(self, place: int) -> list[int]:
        """Indices of all turns that stand where the branch's turn at `place` does, the oldest
        first."""
        return self.children(self.nodes[self.path[place]].parent)

    def children(self, index: int | None) -> list[int]:
        """Indices of the turns that follow the one at `index`, the oldest first; of None, the
        beginnings."""
        return [i for i, node in enumerate(self.nodes) if node.parent == index]

    def answered(self) -> Conversation:
        """The branch that the pending reply is added to, with what there is of it, is the open one;
        without a pending reply nothing changes."""
        if self.pending is None:
            return self
        begun = (i for i, node in enumerate(self.nodes) if node.reply == self.pending.id)
        return replace(self, leaf=next(begun, self.pending.parent))

    def with_message(self, text: str) -> Conversation:
        """With the person's message after the leaf. The first one gives the title."""
        grown = self._with(Node(self.leaf, "user", text))
        return replace(grown, title=self.title or _title(grown.nodes[-1].text))

    def with_reply(self, text: str, made: Made | None = None) -> Conversation:
        """With the model's reply to the leaf; without any text nothing changes."""
        return self._with(Node(self.leaf, "assistant", text, made)) if text else self

    def with_edit(self, place: int, text: str) -> Conversation:
        """With another version of the branch's turn at `place`, which is the leaf then.

        Raises:
            ConversationError: the text is longer than can be kept.
        """
        if len(text) > LONGEST_TEXT:
            raise ConversationError(
                "the turn would have {size:,} characters; at most {most:,} are kept: shorten it",
                size=len(text),
                most=LONGEST_TEXT,
            )
        node = self.nodes[self.path[place]]
        return self._with(Node(node.parent, node.role, text))

    def cut_after(self, place: int) -> Conversation:
        """The open branch ends after its turn at `place`; with -1 before the first turn."""
        return replace(self, leaf=self.path[place] if place >= 0 else None)

    def message_before(self, place: int) -> int:
        """The place of the person's last message at `place` or before; -1 where there is none."""
        path = self.path[: place + 1]
        return next((k for k in range(len(path) - 1, -1, -1) if self._is_user(path[k])), -1)

    def with_version(self, place: int, step: int) -> Conversation:
        """Opens the version `step` after the one at `place`, and the newest that follows it."""
        versions = self.versions(place)
        at = versions.index(self.path[place]) + step
        return replace(self, leaf=self._newest(versions[min(max(at, 0), len(versions) - 1)]))

    def continued(self) -> Conversation:
        """Opens the newest turn that follows the leaf, where the leaf is not an end."""
        children = self.children(self.leaf)
        return replace(self, leaf=self._newest(children[-1])) if children else self

    def to_json(self) -> str:
        """The JSON form."""
        value = {key: part for key, part in asdict(self).items() if part is not None}
        value["leaf"] = self.leaf
        replayed = value["replay"]["turns"] if self.replay else []
        for node in (*value["nodes"], *replayed):
            for key in ("made", "reply"):
                if not node[key]:
                    del node[key]
        return encodable(json.dumps(value, ensure_ascii=False))

    @classmethod
    def from_json(cls, text: str) -> Conversation:
        """A conversation from its JSON form, which may come from anywhere.

        Raises:
            ConversationError: says what is wrong with it.
        """
        try:
            return cls.parse(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise ConversationError(_CANNOT_BE_OPENED, problem=error) from None

    @classmethod
    def parse(cls, value: Any) -> Conversation:
        """As `from_json`, of JSON that is read already."""
        _check(isinstance(value, dict), "it is no JSON object")
        texts = {name: _text(value, name, LONGEST_TEXT) for name in ("id", "title", "persona")}
        nodes = value.get("nodes")
        _check(isinstance(nodes, list) and len(nodes) <= MOST_NODES, "nodes is no list of turns")
        parsed = tuple(_node(node, number) for number, node in enumerate(nodes))
        leaf = value.get("leaf")
        right = leaf is None or _whole(leaf, len(parsed))
        _check(right, "leaf is {given!r}, which is no turn", given=leaf)
        pending, replay = value.get("pending"), value.get("replay")
        return cls(
            **texts,
            nodes=parsed,
            leaf=leaf,
            pending=None if pending is None else _pending(pending, len(parsed)),
            replay=None if replay is None else _replay(replay),
        )

    def _with(self, node: Node) -> Conversation:
        node = replace(node, text=encodable(node.text))
        return replace(self, nodes=(*self.nodes, node), leaf=len(self.nodes))

    def _is_user(self, index: int) -> bool:
        return self.nodes[index].role == "user"

    def _newest(self, index: int) -> int:
        """The turn that was added last to the branches from `index` on."""
        family = {index}
        for i, node in enumerate(self.nodes):
            if node.parent in family:
                family.add(i)
        return max(family)


def _title(text: str) -> str:
    """A message's beginning, cut at a word."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TITLE else line[:LONGEST_TITLE].rsplit(" ", 1)[0] + " ..."


def _node(value: Any, number: int) -> Node:
    turn = number + 1
    _check(isinstance(value, dict), "turn {turn} is no object", turn=turn)
    parent, role = value.get("parent"), value.get("role")
    earlier = parent is None or _whole(parent, number)
    _check(earlier, "turn {turn} follows {given!r}, no earlier turn", turn=turn, given=parent)
    _check(
        role in ("user", "assistant"),
        "turn {turn} is of {given!r}; expected user or assistant",
        turn=turn,
        given=role,
    )
    made = value.get("made")
    text, reply = _text(value, "text", LONGEST_TEXT, turn), _text(value, "reply", LONGEST_ID, turn)
    return Node(parent, role, text, _made(made, turn) if made is not None else None, reply)


def _pending(value: Any, turns: int) -> Pending:
    _check(isinstance(value, dict), "the reply that is being made is no object")
    parent = value.get("parent")
    _check(
        _whole(parent, turns),
        "the reply that is being made follows {given!r}, which is no turn",
        given=parent,
    )
    return Pending(_text(value, "id", LONGEST_ID), parent, _made(value.get("made"), turns))


def _replay(value: Any) -> Replay:
    turns: Any = value.get("turns") if isinstance(value, dict) else None
    right = _is_list(turns, dict) and len(turns) <= MOST_NODES
    _check(right, "what is left of its replay is no list of turns")
    foreign, differing = value.get("foreign", 0), value.get("differing", 0)
    counted = _whole(foreign, MOST_NODES) and _whole(differing, MOST_NODES)
    _check(counted, "the counts in its replay are invalid")
    nodes = (_node({**turn, "parent": None}, number) for number, turn in enumerate(turns))
    return Replay(tuple(nodes), foreign, differing, _text(value, "personas", LONGEST_TEXT))


def _made(value: Any, turn: int) -> Made:
    _check(isinstance(value, dict), "made of turn {turn} is no object", turn=turn)
    seed, stop, experts = value.get("seed"), value.get("stop", []), value.get("experts", [])
    _check(
        _whole(seed, SEEDS),
        "the seed of turn {turn} is {given!r}; expected a whole number from 0 to {most}",
        turn=turn,
        given=seed,
        most=SEEDS - 1,
    )
    _check(_is_list(stop, str), "stop of turn {turn} is no list of texts", turn=turn)
    counted = _is_list(experts, list) and all(_is_list(layer, int) for layer in experts)
    _check(counted, "experts of turn {turn} is no list of lists of whole numbers", turn=turn)
    try:
        sampling = parse_sampling(value.get("sampling", {}))
    except PersonaError as error:
        raise ConversationError("turn {turn}: {problem}", turn=turn, problem=error) from None
    return Made(
        **{name: _text(value, name, LONGEST_TEXT, turn) for name in _MADE_TEXTS},
        seed=seed,
        sampling=sampling,
        stop=tuple(map(encodable, stop)),
        experts=tuple(map(tuple, experts)),
    )


def _text(value: dict[str, Any], name: str, longest: int, turn: int | None = None) -> str:
    """A text of the conversation, or of one of its turns."""
    text = value.get(name, "")
    _check(
        isinstance(text, str),
        "{name} of the conversation is {given!r}; expected a text"
        if turn is None
        else "{name} of turn {turn} is {given!r}; expected a text",
        name=name,
        turn=turn,
        given=text,
    )
    _check(
        len(text) <= longest,
        "{name} of the conversation has {size:,} characters; {most:,} fit"
        if turn is None
        else "{name} of turn {turn} has {size:,} characters; {most:,} fit",
        name=name,
        turn=turn,
        size=len(text),
        most=longest,
    )
    return encodable(text)


def _whole(value: Any, below: int) -> bool:
    return type(value) is int and 0 <= value < below


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)


def _check(right: bool, problem: str, **values: Any) -> None:
    if not right:
        raise ConversationError(_CANNOT_BE_OPENED, problem=ConversationError(problem, **values))

"""A conversation as a tree: whatever is said otherwise begins a branch, and nothing is lost.

Its JSON form is what a browser keeps, exports and imports:

    {"id": "5f0c...", "title": "What is love?", "persona": "grok", "leaf": 1, "nodes": [
        {"parent": null, "role": "user", "text": "What is love?"},
        {"parent": 0, "role": "assistant", "text": "A word.", "made": {"seed": 7, ...}}]}
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from grok_app.chat.persona import Sampling, parse_sampling
from grok_app.chat.prompt import Turn, encodable
from grok_app.errors import ConversationError, PersonaError

MOST_NODES = 10_000
LONGEST_TEXT = 200_000
LONGEST_TITLE = 60
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
        text: what was said.
        made: of a reply that the model wrote.
    """

    parent: int | None
    role: str
    text: str
    made: Made | None = None


@dataclass(frozen=True)
class Conversation:
    """A tree of turns, and the branch of it that is looked at.

    Half a surrogate pair, which a page's stream could not carry, is a question mark in it, wherever
    its texts come from.

    Attributes:
        id: distinguishes it from all others.
        title: what a list calls it.
        persona: slug of who answers.
        nodes: all turns, each after its parent.
        leaf: index of the last turn of the branch; None where nothing is said yet.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    title: str = ""
    persona: str = ""
    nodes: tuple[Node, ...] = ()
    leaf: int | None = None

    @property
    def path(self) -> list[int]:
        """Indices of the branch's turns, from the first to the leaf."""
        path, at = [], self.leaf
        while at is not None:
            path.append(at)
            at = self.nodes[at].parent
        return path[::-1]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The branch as a prompt is built of it."""
        return tuple(Turn(self.nodes[i].role, self.nodes[i].text) for i in self.path)  # type: ignore[arg-type]

    def versions(self, place: int) -> list[int]:
        """Indices of all turns that stand where the branch's turn at `place` does, the oldest
        first."""
        parent = self.nodes[self.path[place]].parent
        return [i for i, node in enumerate(self.nodes) if node.parent == parent]

    def said(self, text: str) -> Conversation:
        """The person speaks: a turn after the leaf. The first one gives the title."""
        said = self._with(Node(self.leaf, "user", text))
        return replace(said, title=self.title or _title(said.nodes[-1].text))

    def replied(self, text: str, made: Made | None = None) -> Conversation:
        """The model has answered the leaf; without any text nothing changes."""
        return self._with(Node(self.leaf, "assistant", text, made)) if text else self

    def edited(self, place: int, text: str) -> Conversation:
        """Another version of the branch's turn at `place`, nothing after it yet.

        Raises:
            ConversationError: the text is longer than can be kept.
        """
        if len(text) > LONGEST_TEXT:
            raise ConversationError(
                f"the turn would have {len(text):,} characters; at most {LONGEST_TEXT:,} are kept: "
                "shorten it"
            )
        node = self.nodes[self.path[place]]
        return self._with(Node(node.parent, node.role, text))

    def upto(self, place: int) -> Conversation:
        """The branch ends after its turn at `place`; -1 for a new beginning."""
        return replace(self, leaf=self.path[place] if place >= 0 else None)

    def asked(self, place: int) -> int:
        """The place of the person's last turn at `place` or before; -1 where there is none."""
        path = self.path[: place + 1]
        return next((k for k in range(len(path) - 1, -1, -1) if self._is_user(path[k])), -1)

    def leafed(self, place: int, step: int) -> Conversation:
        """Shows the version `step` after the one at `place`, and what was said there last."""
        versions = self.versions(place)
        at = versions.index(self.path[place]) + step
        return replace(self, leaf=self._newest(versions[min(max(at, 0), len(versions) - 1)]))

    def caught_up(self, later: Conversation) -> Conversation:
        """With the turns that `later` has beyond these, if it is this one somewhat later; a reply
        to the leaf becomes the leaf."""
        if later.id != self.id or later.nodes[: len(self.nodes)] != self.nodes:
            return self
        last = None if later.leaf is None else later.nodes[later.leaf]
        replied = last is not None and (last.role, last.parent) == ("assistant", self.leaf)
        return replace(self, nodes=later.nodes, leaf=later.leaf if replied else self.leaf)

    def newest(self) -> Conversation:
        """The branch that was added to last."""
        return replace(self, leaf=len(self.nodes) - 1 if self.nodes else None)

    def to_json(self) -> str:
        """The JSON form."""
        value = asdict(self)
        for node in value["nodes"]:
            if node["made"] is None:
                del node["made"]
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
            raise ConversationError(
                f"this is no conversation that can be opened: {error}"
            ) from None

    @classmethod
    def parse(cls, value: Any) -> Conversation:
        """As `from_json`, of JSON that is read already."""
        _check(isinstance(value, dict), "it is no JSON object")
        texts = {name: _text(value, name, LONGEST_TEXT) for name in ("id", "title", "persona")}
        nodes = value.get("nodes")
        _check(isinstance(nodes, list) and len(nodes) <= MOST_NODES, "nodes is no list of turns")
        parsed = tuple(_node(node, number) for number, node in enumerate(nodes))
        leaf = value.get("leaf")
        _check(leaf is None or _whole(leaf, len(parsed)), f"leaf is {leaf!r}, which is no turn")
        return cls(**texts, nodes=parsed, leaf=leaf)

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
    _check(isinstance(value, dict), f"turn {turn} is no object")
    parent, role = value.get("parent"), value.get("role")
    earlier = parent is None or _whole(parent, number)
    _check(earlier, f"turn {turn} follows {parent!r}, no earlier turn")
    _check(role in ("user", "assistant"), f"turn {turn} is of {role!r}; expected user or assistant")
    made = value.get("made")
    text = _text(value, "text", LONGEST_TEXT, f"turn {turn}")
    return Node(parent, role, text, _made(made, turn) if made is not None else None)


def _made(value: Any, turn: int) -> Made:
    _check(isinstance(value, dict), f"made of turn {turn} is no object")
    seed, stop, experts = value.get("seed"), value.get("stop", []), value.get("experts", [])
    _check(_whole(seed, 2**32), f"the seed of turn {turn} is {seed!r}; expected a whole number")
    _check(_is_list(stop, str), f"stop of turn {turn} is no list of texts")
    counted = _is_list(experts, list) and all(_is_list(layer, int) for layer in experts)
    _check(counted, f"experts of turn {turn} is no list of lists of whole numbers")
    try:
        sampling = parse_sampling(value.get("sampling", {}))
    except PersonaError as error:
        raise ConversationError(f"turn {turn}: {error}") from None
    return Made(
        **{name: _text(value, name, LONGEST_TEXT, f"turn {turn}") for name in _MADE_TEXTS},
        seed=seed,
        sampling=sampling,
        stop=tuple(map(encodable, stop)),
        experts=tuple(map(tuple, experts)),
    )


def _text(value: dict[str, Any], name: str, longest: int, where: str = "the conversation") -> str:
    text = value.get(name, "")
    _check(isinstance(text, str), f"{name} of {where} is {text!r}; expected a text")
    _check(len(text) <= longest, f"{name} of {where} has {len(text):,} characters; {longest:,} fit")
    return encodable(text)


def _whole(value: Any, below: int) -> bool:
    return type(value) is int and 0 <= value < below


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)


def _check(right: bool, problem: str) -> None:
    if not right:
        raise ConversationError(f"this is no conversation that can be opened: {problem}")

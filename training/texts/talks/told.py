"""What a person tells of themselves and asks for later; what they never told, and corrections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from training.texts.english import capitalized
from training.texts.talks.voice import Talk, filled, read

_DATA = read("told")
FACTS = _DATA["facts"]
VALUES = _DATA["values"] | {"names": _DATA["values"]["women"] + _DATA["values"]["men"]}

CORRECTED_SHARE = 0.15  # of the facts that are told are told wrong at first


class Told:
    """A fact: how it is told, and how it is asked for."""

    def __init__(self, talk: Talk) -> None:
        """One of the facts that the talk has not come to, with one of its values."""
        fresh = [fact for fact in FACTS if fact["noun"] not in talk.facts]
        self._fact: Mapping[str, Any] = talk.rng.choice(fresh)
        talk.facts.add(self._fact["noun"])
        self.value, self._other = talk.rng.sample(VALUES[self._fact["values"]], 2)

    def tell(self, talk: Talk, corrected: float = 0.0) -> Iterator[None]:
        """The person tells it, in a share `corrected` of the cases after having told it wrong."""
        if talk.rng.random() < corrected:
            self._say(talk, self._other)
            yield
            told = filled(talk.rng.choice(self._fact["told"]), {"v": self.value})
            asked = talk.typed(f"{talk.ask('told_meant', told=told).rstrip('.')}.")
            talk.exchange(asked, "fixed", clause=self._clause(self.value))
        else:
            self._say(talk, self.value)
        yield

    def _say(self, talk: Talk, value: str) -> None:
        told = filled(talk.rng.choice(self._fact["told"]), {"v": value})
        asked = talk.typed(f"{capitalized(told)}.")
        if self._fact["noun"] == "your name":
            talk.exchange(asked, "heard_name", name=value)
            talk.name = self.value
        else:
            talk.exchange(asked, "heard", clause=self._clause(value))

    def recall(self, talk: Talk) -> None:
        """The person asks for it, and is told."""
        asked = talk.typed(talk.rng.choice(self._fact["asked"]))
        talk.exchange(asked, "recall", clause=self._clause(self.value))

    def miss(self, talk: Talk) -> None:
        """The person asks for it without having told it."""
        asked = talk.typed(talk.rng.choice(self._fact["asked"]))
        talk.exchange(asked, "never", noun=self._fact["noun"])

    def _clause(self, value: str) -> str:
        clause: str = self._fact["clause"].format(v=value)
        return clause


def untold(talk: Talk) -> Iterator[None]:
    """The person asks for what they never told, tells it, and asks again."""
    fact = Told(talk)
    fact.miss(talk)
    yield
    yield from fact.tell(talk)
    fact.recall(talk)
    yield

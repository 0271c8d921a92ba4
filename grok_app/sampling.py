"""The sampling settings and their bounds: what is allowed stands here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from grok_app.errors import RequestError

MOST_LOGPROBS = 20
MOST_STOPS = 64  # every token is looked at for each
LONGEST_STOP = 1000  # characters
SEEDS = 2**32  # how many there are


@dataclass(frozen=True)
class Bound:
    """The numbers that a setting may be: from `least` to `most`, only whole ones if `whole`."""

    least: float
    most: float
    whole: bool


BOUNDS = {
    "temperature": Bound(0, 100, whole=False),
    "top_p": Bound(0, 1, whole=False),
    "top_k": Bound(0, 2**31 - 1, whole=True),
    "min_p": Bound(0, 1, whole=False),
    "repetition_penalty": Bound(0.01, 100, whole=False),
    "max_tokens": Bound(1, 2**31 - 1, whole=True),
    "seed": Bound(0, SEEDS - 1, whole=True),
    "logprobs": Bound(0, MOST_LOGPROBS, whole=True),
}


def check(field: str, given: Any) -> None:
    """Raises RequestError unless `given` is a number that the setting `field` may be."""
    bound = BOUNDS[field]
    kinds = int if bound.whole else (int, float)
    is_number = isinstance(given, kinds) and not isinstance(given, bool)
    if not is_number or not bound.least <= given <= bound.most:
        raise RequestError(
            "{field} is {given!r}; expected a whole number from {least} to {most}"
            if bound.whole
            else "{field} is {given!r}; expected a number from {least} to {most}",
            field=field,
            given=given,
            least=bound.least,
            most=bound.most,
        )


@dataclass(frozen=True)
class Sampling:
    """How a reply is sampled, and how long it may be; the defaults are a persona's.

    Attributes:
        temperature: 0 takes the likeliest token; 1 samples the model as it is.
        top_p: keep the likeliest tokens that together have this probability; 1 keeps all.
        top_k: keep this many of the likeliest tokens; 0 keeps all.
        min_p: keep tokens at least this fraction as likely as the likeliest; 0 keeps all.
        repetition_penalty: divides the scores of tokens already in the context; 1 does nothing.
        max_tokens: most tokens of a reply.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.05
    max_tokens: int = 160

    def __post_init__(self) -> None:
        """Raises RequestError where a setting is out of its bounds."""
        for field in fields(Sampling):
            check(field.name, getattr(self, field.name))

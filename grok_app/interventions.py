"""Changes of the experts that tokens go to, as studies of mixtures make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from grok_app.errors import RequestError

_FIELD = "interventions"
Kind = Literal["zero", "mask", "swap", "force", "bias"]
KINDS: tuple[str, ...] = get_args(Kind)
MOST_BIAS = 1e6  # beyond, a softmax is no longer a matter of degree


@dataclass(frozen=True)
class Intervention:
    """A change of the routing of every token of a request, its prompt's too.

    Of several at one layer, biases, masks and forces come first, then the experts are chosen, then
    swaps, and zeros are the last.

    Attributes:
        kind: "zero": the expert is chosen as ever, but its gate is 0, so that it contributes
            nothing. "mask": it is never chosen; the next best takes over, and gates are a softmax
            of the others. "swap": wherever it is chosen, the expert `to` works in its place, with
            its gate. "force": it is always chosen, as if its logit were the largest of the token.
            "bias": `by` is added to its router logit (as SteerMoE does, arXiv 2509.09660).
        expert: its number, from 0.
        layers: numbers from 0; None: all.
        to: of "swap".
        by: of "bias".
    """

    kind: str
    expert: int
    layers: tuple[int, ...] | None = None
    to: int | None = None
    by: float | None = None

    def __post_init__(self) -> None:
        """Raises RequestError where it can be right for no model."""
        if self.kind not in KINDS:
            raise RequestError(
                "an intervention's kind is {given!r}; expected one of {known}",
                field=_FIELD,
                given=self.kind,
                known=", ".join(KINDS),
            )
        if (self.kind == "swap") != (self.to is not None):
            raise RequestError("{field}: 'to' belongs to swap, and swap needs it", field=_FIELD)
        if (self.kind == "bias") != (self.by is not None):
            raise RequestError("{field}: 'by' belongs to bias, and bias needs it", field=_FIELD)
        if self.by is not None and not (_is(self.by, (int, float)) and abs(self.by) <= MOST_BIAS):
            raise RequestError(
                "{field}: by is {given!r}; expected a number from {least} to {most}",
                field=_FIELD,
                given=self.by,
                least=-MOST_BIAS,
                most=MOST_BIAS,
            )
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(self.layers))


def check(given: Sequence[Intervention], layers: int, experts: int, chosen: int) -> None:
    """Raises RequestError unless a model of so many layers and experts, of which each token has so
    many, can do what is given."""
    for one in given:
        for name, number in (("expert", one.expert), ("to", one.to)):
            if number is not None or name == "expert":
                _check_number(name, number, experts - 1)
        if one.layers is not None and not one.layers:
            raise RequestError("{field}: layers is empty; leave it out for all", field=_FIELD)
        for layer in one.layers or ():
            _check_number("layers", layer, layers - 1)
    everywhere = range(layers)
    places = [everywhere if one.layers is None else set(one.layers) for one in given]
    for layer in everywhere:
        here = [one for one, place in zip(given, places, strict=True) if layer in place]
        masked = {one.expert for one in here if one.kind == "mask"}
        forced = {one.expert for one in here if one.kind == "force"}
        if masked & forced or len(masked) > experts - chosen or len(forced) > chosen:
            raise RequestError(
                "{field}: at layer {layer} {masked} experts are masked and {forced} forced; of "
                "{experts} experts {chosen} must be left, at most {chosen} can be forced, and none "
                "can be both",
                field=_FIELD,
                layer=layer,
                masked=len(masked),
                forced=len(forced),
                experts=experts,
                chosen=chosen,
            )
        swapped = [one.expert for one in here if one.kind == "swap"]
        if len(set(swapped)) < len(swapped):
            raise RequestError(
                "{field}: at layer {layer} an expert is swapped twice", field=_FIELD, layer=layer
            )


def _check_number(name: str, given: Any, most: int) -> None:
    if not _is(given, int) or not 0 <= given <= most:
        raise RequestError(
            "{field}: {name} is {given!r}; expected a whole number from 0 to {most}",
            field=_FIELD,
            name=name,
            given=given,
            most=most,
        )


def _is(given: Any, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(given, kinds) and not isinstance(given, bool)

"""The settings panel: how replies are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from grok_app.chat import Persona, Sampling
from grok_app.errors import RequestError

# name: label, what it does, least, most, step
_SLIDERS = {
    "temperature": ("Temperature", "0 is always the likeliest word; more is bolder", 0, 2, 0.05),
    "top_p": ("Top-p", "keep the likeliest words that together have this share", 0.05, 1, 0.01),
    "top_k": ("Top-k", "keep this many of the likeliest words; 0 keeps all", 0, 200, 1),
    "min_p": ("Min-p", "keep words at least this part as likely as the likeliest", 0, 1, 0.01),
    "repetition_penalty": (
        "Repetition penalty",
        "above 1, words said are less likely",
        1,
        1.5,
        0.01,
    ),
    "max_tokens": ("Longest reply", "in tokens, about 3/4 of a word each", 1, 1024, 1),
}


class Controls:
    """The panel's components."""

    def __init__(self, persona: Persona):
        """Lays them out, set as `persona` wants them."""
        self._sliders = {
            name: gr.Slider(
                least,
                most,
                value=getattr(persona.sampling, name),
                step=step,
                label=label,
                info=info,
                elem_id=name.replace("_", "-"),
            )
            for name, (label, info, least, most, step) in _SLIDERS.items()
        }
        self._seed = gr.Textbox(
            label="Seed",
            info="the same seed gives the same reply; empty: a new one each time",
            elem_id="seed",
        )
        self._stop = gr.Textbox(
            label="Stop strings",
            info="texts that end a reply, one a line; the persona's own apply too",
            lines=2,
            elem_id="stop-strings",
        )

    @property
    def inputs(self) -> list[gr.components.Component]:
        """What `read` is given the values of."""
        return [*self._sliders.values(), self._seed, self._stop]

    @property
    def preset(self) -> list[gr.components.Component]:
        """What a persona sets."""
        return list(self._sliders.values())

    def preset_of(self, persona: Persona) -> list[Any]:
        """The values that a persona sets, in the order of `preset`."""
        return [getattr(persona.sampling, name) for name in _SLIDERS]

    def read(self, values: Sequence[Any]) -> tuple[Sampling, int | None, list[str]]:
        """Sampling, seed and stop strings from the values of `inputs`.

        Raises:
            RequestError: a value is none that can be used.
        """
        *numbers, seed, stop = values
        sampling = Sampling(**dict(zip(_SLIDERS, numbers, strict=True)))
        return sampling, _seed(seed), [line for line in stop.split("\n") if line]


def _seed(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise RequestError(f"the seed is {text!r}; expected a whole number or nothing") from None

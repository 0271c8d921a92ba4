"""The settings panel: how replies are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from grok_app.chat import Persona, Sampling
from grok_app.web.server.limits import Limits

# name: (label, what it does, least, most, step)
SLIDERS = {
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


def slider_of(name: str, most: float | None = None) -> dict[str, Any]:
    """A setting's slider, as `gr.Slider` takes it: what is said of it, its bounds and its step.
    `most`, where given, is the upper bound instead of the slider's own."""
    label, info, least, own, step = SLIDERS[name]
    return {"label": label, "info": info, "minimum": least, "maximum": most or own, "step": step}


def seed_box(
    info: str = "the same seed gives the same reply; empty: a new one each time", **options: Any
) -> gr.Textbox:
    """Where a seed is typed; `options` are those of `gr.Textbox`."""
    # With "": without it the value is None as long as the accordion has not been opened.
    return gr.Textbox("", label="Seed", info=info, **options)


def within_slider(name: str, value: float) -> float:
    """The value that a setting's slider shows: the nearest that it has."""
    _, _, least, most, _ = SLIDERS[name]
    return min(max(value, least), most)


class Controls:
    """The panel's components."""

    def __init__(self, persona: Persona, limits: Limits):
        """Lays them out, set as `persona` wants them. Gradio holds the values to the sliders'
        bounds, whoever sends them."""
        self._limits = limits
        preset = dict(zip(SLIDERS, self.preset_of(persona), strict=True))
        self._sliders = {
            name: gr.Slider(
                **slider_of(name, limits.tokens if name == "max_tokens" else None),
                value=preset[name],
                elem_id=name.replace("_", "-"),
            )
            for name in SLIDERS
        }
        self._seed = seed_box(elem_id="seed")
        self._stop = gr.Textbox(
            "",
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
        """The values that a persona sets, in the order of `preset`, as far as the sliders go."""
        sampling = self._limits.bounded(persona.sampling)
        return [within_slider(name, getattr(sampling, name)) for name in SLIDERS]

    def read(self, values: Sequence[Any]) -> tuple[Sampling, str, str]:
        """Sampling, seed and stop strings as they stand there, from the values of `inputs`.

        Raises:
            RequestError: a setting is out of range.
        """
        *numbers, seed, stop = values
        sampling = Sampling(**dict(zip(SLIDERS, numbers, strict=True)))
        return sampling, seed or "", stop or ""

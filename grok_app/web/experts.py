"""Watching the experts: which of them speak, for a reply, a token, a persona."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
import numpy as np

from grok_app.chat import Conversation
from grok_app.web.personas import Personas
from grok_app.web.reply import Trace

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

Counts = tuple[tuple[int, ...], ...]
"""How many tokens each expert of each layer had a part in, [layers][experts]."""

_SCRIPT = Path(__file__).with_suffix(".js")
_TEMPLATE = """
<p class="explained"></p>
<div class="tools">
  <label><span></span> <select></select></label>
  <button type="button" class="csv"></button>
  <button type="button" class="png"></button>
</div>
<div class="map" role="group" tabindex="0"></div>
<div class="legend"></div>
<p class="reply-title"></p>
<div class="reply" role="listbox"></div>
<p class="told" aria-live="polite"></p>
<div class="personas" role="group" tabindex="0" hidden></div>
"""


def count(traces: Sequence[Trace], experts: int) -> Counts:
    """How often each of so many experts was chosen, layer by layer; nothing of no traces."""
    if not traces:
        return ()
    chosen = np.stack([trace.experts for trace in traces])  # [tokens, layers, experts a token]
    counts = (chosen[..., None] == np.arange(experts)).sum((0, 2))
    return tuple(map(tuple, counts.tolist()))


def total(several: Iterable[Counts]) -> Counts:
    """Counts of the same shape, added up."""
    return tuple(
        tuple(map(sum, zip(*layers, strict=True))) for layers in zip(*several, strict=True)
    )


class Watch:
    """What the panel is told about a reply: a text that only grows, so that an update of the
    page is as small as what is new."""

    def __init__(self, beginning: str):
        self._text, self._told = beginning, 0

    def value(self, traces: Sequence[Trace]) -> str:
        """The panel's value once the reply has these tokens; each call has those of the last."""
        for text, experts in traces[self._told :]:
            self._text += json.dumps([text, experts.ravel().tolist()]) + "\n"
        self._told = len(traces)
        return self._text


class ExpertsPanel:
    """A heat map of layers by experts, the newest reply's tokens, and the personas' shares.

    Its value are lines of JSON: first what was counted before the newest reply, then a line for
    each token of that. The browser adds them up.
    """

    def __init__(self, engine: Engine, personas: Personas):
        """Lays it out; `personas` for their names."""
        self._engine, self._personas = engine, personas
        self.view = gr.HTML(
            value=self.shown(Conversation()),
            html_template=_TEMPLATE,
            js_on_load=_SCRIPT.read_text("utf-8"),
            apply_default_css=False,
            elem_id="experts",
        )

    def shown(self, talk: Conversation) -> str:
        """The value for a conversation in which nothing is being said."""
        return self.watch(talk, "").value(())

    def watch(self, talk: Conversation, slug: str) -> Watch:
        """Follows a reply in a conversation, given by the persona `slug`."""
        config = self._engine.config
        header = {
            "layers": config.num_layers,
            "experts": config.num_experts,
            "chosen": config.num_selected_experts,
            "speaker": self._name(slug),
            "earlier": self._by_persona(talk),
        }
        return Watch(json.dumps(header) + "\n")

    def _by_persona(self, talk: Conversation) -> list[tuple[str, Counts]]:
        """Who had how many of which expert's tokens in the branch that is looked at."""
        replies: dict[str, list[Counts]] = {}
        for made in (talk.nodes[index].made for index in talk.path):
            if made and made.model == self._engine.fingerprint and self._fits(made.experts):
                replies.setdefault(self._name(made.persona), []).append(made.experts)
        return [(name, total(counts)) for name, counts in replies.items()]

    def _fits(self, counts: Counts) -> bool:
        """Whether counts, which may come from a file, can be this model's."""
        config = self._engine.config
        return len(counts) == config.num_layers and all(
            len(layer) == config.num_experts and min(layer) >= 0 for layer in counts
        )

    def _name(self, slug: str) -> str:
        return self._personas.find(slug).name if self._personas.is_shipped(slug) else slug

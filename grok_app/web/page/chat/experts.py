"""Watching the experts: which of them speak, for a reply, a token, a persona."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from grok_app.chat import Conversation
from grok_app.web.page.personas.personas import Personas
from grok_app.web.page.scripts import scripted

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

Counts = tuple[tuple[int, ...], ...]
"""How many tokens each expert of each layer had a part in, [layers][experts]."""

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


def total(several: Iterable[Counts]) -> Counts:
    """Counts of the same shape, added up."""
    return tuple(
        tuple(map(sum, zip(*layers, strict=True))) for layers in zip(*several, strict=True)
    )


class ExpertsPanel:
    """A heat map of layers by experts, the newest reply's tokens, and the personas' shares.

    Its value are lines of JSON: first what was counted before the newest reply, then a line for
    each token of that. The browser adds them up.
    """

    def __init__(self, engine: Engine, personas: Personas):
        """Lays it out; `personas` for their names."""
        self._engine, self._personas = engine, personas
        self.view = scripted(
            "experts",
            _TEMPLATE,
            value=self.value_of(Conversation()),
            apply_default_css=False,
            elem_id="experts",
        )

    def value_of(self, conversation: Conversation) -> str:
        """The value for a conversation. A reply that is being made adds its lines in the browser,
        see `follow.news`."""
        config, pending = self._engine.config, conversation.pending
        header = {
            "layers": config.num_layers,
            "experts": config.num_experts,
            "chosen": config.num_selected_experts,
            "speaker": self._name(pending.made.persona) if pending else "",
            "earlier": self._by_persona(conversation.answered()),
        }
        return json.dumps(header) + "\n"

    def _by_persona(self, conversation: Conversation) -> list[tuple[str, Counts]]:
        """Who had how many of which expert's tokens in the branch that is looked at."""
        replies: dict[str, list[Counts]] = {}
        for made in (conversation.nodes[index].made for index in conversation.path):
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

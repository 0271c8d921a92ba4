"""What of a pass is to be seen, and the notes of it that the layers write.

Residual streams have numbers: stream i is the one before layer i, stream L the one after the last
layer. b rows, T tokens a row, D model width, L layers, E experts, k experts chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from grok_app.model.config import GrokConfig

WHAT = ("experts", "gates", "router_logits", "hidden", "lens", "attention")
STREAMS = "streams"

Notes = dict[str, Array]
"""What is seen of a pass, by name."""


@dataclass(frozen=True)
class Watch:
    """What of a pass is to be seen. Hashable: a program is compiled for each choice.

    Attributes:
        what: of `WHAT`.
        layers: those whose routing is seen, ascending; None: all. Hidden states and the lens are
            of the streams before these layers, and of the one after the last of them.
        heads: (layer, head) of the attention that is seen, each once.
        top: how many tokens of the lens.
    """

    what: frozenset[str] = frozenset()
    layers: tuple[int, ...] | None = None
    heads: tuple[tuple[int, int], ...] = ()
    top: int = 0

    def layers_of(self, config: GrokConfig) -> tuple[int, ...]:
        """The layers, also where all are meant."""
        return tuple(range(config.num_layers)) if self.layers is None else self.layers

    def begin(self, config: GrokConfig, rows: int, tokens: int) -> Notes:
        """Empty notes of a pass: those of the routing [layers, b*T, ...], and the streams that
        something is made of [streams, b, T, D]."""
        routing = {
            "experts": (config.num_selected_experts, jnp.uint8),
            "gates": (config.num_selected_experts, jnp.float32),
            "router_logits": (config.num_experts, jnp.float32),
        }
        layers = len(self.layers_of(config))
        notes = {
            name: jnp.zeros((layers, rows * tokens, width), dtype)
            for name, (width, dtype) in routing.items()
            if name in self.what
        }
        if streams := self.streams(config):
            notes[STREAMS] = jnp.zeros((len(streams), rows, tokens, config.emb_size))
        return notes

    def note(self, notes: Notes, config: GrokConfig, layer: Array, seen: Notes) -> Notes:
        """The notes with what was seen of a layer; `seen` may have more than is watched."""
        kept = {name: self.layers_of(config) for name in notes} | {STREAMS: self.streams(config)}
        places = {name: _place(layer, kept[name], config.num_layers) for name in notes}
        return {
            name: array.at[places[name]].set(seen[name].astype(array.dtype), mode="drop")
            for name, array in notes.items()
        }

    def end(self, notes: Notes, config: GrokConfig, h: Array) -> Notes:
        """The notes with the stream h [b, T, D] after the last layer, where it is watched."""
        if config.num_layers not in self.streams(config):
            return notes
        return {**notes, STREAMS: notes[STREAMS].at[-1].set(h)}

    def streams(self, config: GrokConfig) -> tuple[int, ...]:
        """Numbers of the streams in the notes, ascending."""
        of_heads = {layer for layer, _ in self.heads}
        return tuple(sorted({*self._shown_streams(config), *of_heads}))

    def shown(self, streams: Array, config: GrokConfig) -> Array:
        """Of the noted streams, those of hidden states and the lens."""
        noted, shown = self.streams(config), self._shown_streams(config)
        return streams if noted == shown else streams[np.searchsorted(noted, shown)]

    def _shown_streams(self, config: GrokConfig) -> tuple[int, ...]:
        layers = self.layers_of(config)
        return (*layers, layers[-1] + 1) if self.what & {"hidden", "lens"} else ()


NOTHING = Watch()
EXPERTS_ONLY = Watch(frozenset({"experts"}))


def _place(layer: Array, kept: tuple[int, ...], layers: int) -> Array:
    """Where in the notes a layer is kept; behind their end if it is not."""
    if kept[:layers] == tuple(range(layers)):
        return layer
    places = np.full(layers + 1, len(kept), np.int32)
    places[list(kept)] = np.arange(len(kept))
    return jnp.asarray(places)[layer]

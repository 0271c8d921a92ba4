"""What a trace of a text holds: arrays, which can be saved or put into a table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grok_app.engine.safetensors import write_safetensors
from grok_app.errors import RequestError

_SEEN = (
    "experts",
    "gates",
    "router_logits",
    "hidden",
    "attention",
    "lens_ids",
    "lens_logprobs",
)
_IN_TABLE = ("experts", "gates", "router_logits", "lens_ids", "lens_logprobs")


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """What the model did with a text of T tokens, in arrays of the host; see `Engine.trace`.

    L layers chosen, E experts, k experts a token, D model width, P heads, all numbered from 0.
    What was not asked for is None.

    Attributes:
        token_ids: int32 [T].
        tokens: their texts. A token that is no text of its own has its name in the tokenizer, such
            as "</s>" or "<0xE2>"; without a tokenizer it is "token_id:" and its number.
        logprobs: float32 [T], the log-probability of each token after those before it; nan for the
            first.
        layers: the L layers, ascending.
        heads: the P heads, each as (layer, head).
        experts: uint8 [L, T, k], the chosen experts, that with the largest gate first.
        gates: float32 [L, T, k], the factors of what these experts give: the probabilities of the
            router, which do not add up to one.
        router_logits: float32 [L, T, E], of which the softmax gives these probabilities.
        hidden: float32 [L + 1, T, D], the residual stream before each of the layers, and after the
            last of them.
        attention: float32 [P, T, T], how much a token (row) takes from each token (column).
        lens_ids: int32 [L + 1, T, top], the likeliest next tokens if the model ended with the
            stream that `hidden` has at this place (logit lens); the likeliest first.
        lens_logprobs: float32 [L + 1, T, top], their log-probabilities.
    """

    token_ids: np.ndarray
    tokens: tuple[str, ...]
    logprobs: np.ndarray
    layers: tuple[int, ...]
    heads: tuple[tuple[int, int], ...] = ()
    experts: np.ndarray | None = None
    gates: np.ndarray | None = None
    router_logits: np.ndarray | None = None
    hidden: np.ndarray | None = None
    attention: np.ndarray | None = None
    lens_ids: np.ndarray | None = None
    lens_logprobs: np.ndarray | None = None

    def __repr__(self) -> str:
        held = [f"{name} {list(array.shape)}" for name, array in self._seen(_SEEN).items()]
        return f"<Trace of {len(self.tokens)} tokens: {', '.join(['logprobs', *held])}>"

    def save(self, path: str | Path) -> None:
        """Writes the arrays by their names into a file, .npz or .safetensors, which is replaced.

        Layers are int32 [L], heads int32 [P, 2]. The tokens are an array of texts in .npz; in
        .safetensors, which has no texts in arrays, they are a list in JSON under "tokens" of its
        metadata.

        Raises:
            RequestError: the path ends otherwise.
            OSError: the file cannot be written.
        """
        path = Path(path)
        arrays: dict[str, Any] = {
            "token_ids": self.token_ids,
            "logprobs": self.logprobs,
            "layers": np.array(self.layers, np.int32),
            "heads": np.array(self.heads, np.int32).reshape(-1, 2),
            **self._seen(_SEEN),
        }
        if path.suffix == ".npz":
            np.savez(path, tokens=np.array(self.tokens), **arrays)
        elif path.suffix == ".safetensors":
            write_safetensors(path, arrays, {"tokens": json.dumps(self.tokens)})
        else:
            raise RequestError(
                "a trace cannot be saved as {name!r}; expected a name that ends in .npz or "
                ".safetensors",
                name=path.name,
            )

    def table(self) -> dict[str, np.ndarray]:
        """Columns of the same length, as `pandas.DataFrame` takes them.

        A row is a token at a layer, all layers of a token together: position, token_id, token,
        logprob, layer, and what was asked for in columns of one number each: expert_0, expert_1,
        gate_0, gate_1, router_logit_0 (of expert 0) and so on, lens_id_0, lens_logprob_0 and so on
        of the stream before the layer. Hidden states, attention and the lens after the last layer
        are in the arrays only. If there is nothing of single layers, a row is a token.
        """
        seen, tokens = self._seen(_IN_TABLE), len(self.tokens)
        layers = len(self.layers) if seen else 1
        columns = {
            "position": np.arange(tokens),
            "token_id": self.token_ids,
            "token": np.array(self.tokens, object),
            "logprob": self.logprobs,
        }
        columns = {name: np.repeat(column, layers) for name, column in columns.items()}
        if seen:
            columns["layer"] = np.tile(self.layers, tokens)
        for name, array in seen.items():
            numbers = array[:layers].swapaxes(0, 1).reshape(tokens * layers, -1)
            for place, column in enumerate(numbers.T):
                columns[f"{name.removesuffix('s')}_{place}"] = column
        return columns

    def _seen(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Those of the arrays that were asked for."""
        return {name: array for name in names if (array := getattr(self, name)) is not None}

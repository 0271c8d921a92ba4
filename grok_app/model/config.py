"""The sizes and constants of a Grok-1 model, under the names of its `config.json`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from grok_app.errors import CheckpointError

SCALE_GROUPS = 8  # the release quantized rows sharded over 8 devices, each with its own scales


@dataclass(frozen=True)
class GrokConfig:
    """A model of Grok-1's architecture; the defaults are Grok-1 itself."""

    vocab_size: int = 131072
    pad_token: int = 0
    eos_token: int = 2
    sequence_len: int = 8192
    output_multiplier_scale: float = 0.5773502691896257
    embedding_multiplier_scale: float = 78.38367176906169
    emb_size: int = 6144
    widening_factor: float = 8
    key_size: int = 128
    num_q_heads: int = 48
    num_kv_heads: int = 8
    num_layers: int = 64
    attn_output_multiplier: float = 0.08838834764831845
    num_experts: int = 8
    num_selected_experts: int = 2

    @property
    def ffn_size(self) -> int:
        """Hidden width of one expert: the release's rounding of 2/3 of the widened width."""
        size = int(self.widening_factor * self.emb_size) * 2 // 3
        return size + (8 - size) % 8

    @property
    def expert_parameters(self) -> int:
        """Parameters of one expert of one layer."""
        return 3 * self.emb_size * self.ffn_size

    @classmethod
    def from_dict(cls, values: Any) -> GrokConfig:
        """A config from the content of a `config.json`.

        Raises:
            CheckpointError: a key is missing, unknown, or its value makes no model.
        """
        if not isinstance(values, dict):
            raise CheckpointError(
                f"config.json holds a {type(values).__name__}; expected an object of model sizes"
            )
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown, missing = values.keys() - fields, fields.keys() - values
        if unknown or missing:
            raise CheckpointError(
                "config.json does not describe a Grok-1 model:"
                + (f" unknown keys {', '.join(sorted(unknown))};" if unknown else "")
                + (f" missing keys {', '.join(sorted(missing))};" if missing else "")
                + f" expected exactly {', '.join(fields)}"
            )
        for name, value in values.items():
            _check_number(name, value, whole="float" not in str(fields[name].type))
        config = cls(**values)
        config._check()
        return config

    def _check(self) -> None:
        if self.num_q_heads % self.num_kv_heads:
            raise CheckpointError(
                f"config.json: num_q_heads {self.num_q_heads} is not a multiple of "
                f"num_kv_heads {self.num_kv_heads}"
            )
        if self.num_q_heads * self.key_size % SCALE_GROUPS:
            raise CheckpointError(
                f"config.json: {self.num_q_heads} query heads of {self.key_size} are "
                f"{self.num_q_heads * self.key_size} wide; expected a multiple of {SCALE_GROUPS}, "
                "the groups of scales"
            )
        if self.key_size % 2:
            raise CheckpointError(f"config.json: key_size {self.key_size} is odd; halves rotate")
        if self.num_selected_experts > self.num_experts:
            raise CheckpointError(
                f"config.json: num_selected_experts {self.num_selected_experts} is more than "
                f"num_experts {self.num_experts}"
            )
        for name in ("pad_token", "eos_token"):
            if getattr(self, name) >= self.vocab_size:
                raise CheckpointError(
                    f"config.json: {name} {getattr(self, name)} is outside the vocabulary of "
                    f"{self.vocab_size}"
                )


_MOST = {"num_layers": 1024, "num_experts": 256}  # an expert's number is a byte in the engine
_MOST_ELSE = 1 << 24


def _check_number(name: str, value: Any, whole: bool) -> None:
    kinds = (int,) if whole else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise CheckpointError(
            f"config.json: {name} is {value!r}; expected {'a whole' if whole else 'a'} number"
        )
    least = 0 if name.endswith("_token") else 2 if name == "sequence_len" else 1 if whole else 1e-9
    most = _MOST.get(name, _MOST_ELSE)
    if not least <= value <= most:
        raise CheckpointError(
            f"config.json: {name} is {value!r}; expected a number from {least} to {most}"
        )


GROK_1 = GrokConfig()

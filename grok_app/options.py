"""How an engine serves a model: what is chosen, and the lengths in which prompts are prefilled."""

from __future__ import annotations

from dataclasses import dataclass

from grok_app.errors import SettingsError

# The lengths a chunk of a prompt is padded to: the shortest that holds it. Each reads the weights
# once; what takes a processor long makes others wait for their next token.
CHUNKS = (32, 128)
LONG_CHUNKS = (128, 512)
SCORED_CHUNK = 128  # tokens of each text that are scored at a time
DTYPES = ("float32", "bfloat16")
KERNELS = ("auto", "native", "xla")


def chunks_of(platform: str) -> tuple[int, int]:
    """The lengths of chunks on a platform, as JAX or XLA names it."""
    return CHUNKS if platform == "cpu" else LONG_CHUNKS


@dataclass(frozen=True)
class EngineOptions:
    """What is chosen of an engine.

    Attributes:
        mesh: devices on (data, model). None: as many on "model" as divide the model.
        dtype: of the activations, one of `DTYPES`. None: float32 on a CPU, where it is faster;
            else bfloat16.
        slots: conversations served at once.
        context: most tokens of a conversation. None: the model's.
        queue: requests that may wait for a slot.
        saved: conversations beyond the slots whose keys and values are kept, so that their next
            turn need not be prefilled from the start.
        kernels: "native": those of our own for the platform, or an error; "auto": where there are
            any; "xla": none, XLA's form of everything. For a CPU they need a C++ compiler.
    """

    mesh: tuple[int, int] | None = None
    dtype: str | None = None
    slots: int = 8
    context: int | None = None
    queue: int = 64
    saved: int = 8
    kernels: str = "auto"

    def __post_init__(self) -> None:
        """Raises SettingsError where an option can be right for no model and no machine."""
        if self.mesh is not None and (len(self.mesh) != 2 or min(self.mesh) < 1):
            raise SettingsError(f"mesh {self.mesh}: expected two positive numbers, DATA,MODEL")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise SettingsError(f"dtype is {self.dtype!r}; expected one of {', '.join(DTYPES)}")
        if self.kernels not in KERNELS:
            raise SettingsError(f"kernels is {self.kernels!r}; expected {' or '.join(KERNELS)}")
        if self.slots < 1:
            raise SettingsError(f"slots is {self.slots}; expected at least 1")
        if self.context is not None and self.context < 2:
            raise SettingsError(f"context is {self.context}; expected at least 2")
        if self.queue < 0:
            raise SettingsError(f"queue is {self.queue}; expected 0 or more")
        if self.saved < 0:
            raise SettingsError(f"saved is {self.saved}; expected 0 or more")

"""Grok-1 in the browser: an interactive chat with an open mixture-of-experts base model.

engine = grok_app.load("assets/nano")
params = grok_app.SamplingParams(max_tokens=64, temperature=0.8)
for piece in engine.generate("Once upon a time", params):
    print(piece.text, end="")
engine.close()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from grok_app.errors import (
    CheckpointError,
    ContextExceeded,
    EngineBusy,
    EngineFailed,
    GrokError,
    PersonaError,
    RequestError,
    SettingsError,
    UserError,
)
from grok_app.interventions import Intervention
from grok_app.options import EngineOptions

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine
    from grok_app.engine.generation import Generation, Piece
    from grok_app.engine.load import load
    from grok_app.engine.request import SamplingParams
    from grok_app.engine.trace import Trace

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "ContextExceeded",
    "Engine",
    "EngineBusy",
    "EngineFailed",
    "EngineOptions",
    "Generation",
    "GrokError",
    "Intervention",
    "PersonaError",
    "Piece",
    "RequestError",
    "SamplingParams",
    "SettingsError",
    "Trace",
    "UserError",
    "load",
]

_LAZY = {  # what needs JAX is imported when it is first used, so that settings and --help are quick
    "Engine": "grok_app.engine.engine",
    "Generation": "grok_app.engine.generation",
    "Piece": "grok_app.engine.generation",
    "SamplingParams": "grok_app.engine.request",
    "Trace": "grok_app.engine.trace",
    "load": "grok_app.engine.load",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)

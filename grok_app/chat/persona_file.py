"""A persona as the text of its file: the way back from `read_persona`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import tomli_w

from grok_app.chat.persona import Persona


def write_persona(persona: Persona) -> str:
    """The TOML of a file in `prompts/` that says what `persona` is; its slug is the file's name."""
    content = _content(persona)
    exact = tomli_w.dumps(content)
    # Line by line is for people to read, but it has no carriage returns.
    return exact if r"\r" in exact else tomli_w.dumps(content, multiline_strings=True)


def _content(persona: Persona) -> dict[str, Any]:
    """What the file has to say; what is empty is left out."""
    texts = {
        "name": persona.name,
        "icon": persona.icon,
        "description": persona.description,
        "preamble": persona.preamble,
        "raw": persona.labels is None,
        "stop": list(persona.stop),
        "suggestions": list(persona.suggestions),
    }
    tables = {
        "labels": persona.labels and asdict(persona.labels),
        "sampling": asdict(persona.sampling),
        "examples": [asdict(example) for example in persona.examples],
    }
    return {key: value for key, value in (texts | tables).items() if value}

"""What the fields of a persona's form say, and the table of its file that they stand for.

A field is named by its key in the file: "name", "labels.user", "examples[2].assistant". Those of
examples are a fixed number, of which empty pairs count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from grok_app.chat import Persona, Sampling
from grok_app.errors import PersonaError
from grok_app.web.page.personas.personas import MOST_EXAMPLES
from grok_app.web.page.words import Translate

Values = Mapping[str, Any]
"""The value of each field by its key; None is an empty one."""
_TEXTS = ("name", "icon", "description", "preamble")
_ROLES = ("user", "assistant")
_ESCAPES = {r"\n": "\n", r"\\": "\\"}


def table_of(values: Values) -> dict[str, Any]:
    """The table that the file would have, good or bad."""
    sampling = {item.name: values[f"sampling.{item.name}"] for item in fields(Sampling)}
    table = {
        **{key: values[key] or "" for key in _TEXTS},
        "suggestions": _split(values["suggestions"]),
        "stop": _split(values["stop"]),
        "sampling": {name: value for name, value in sampling.items() if value is not None},
    }
    if values["raw"]:
        return table | {"raw": True}
    labels = {role: values[f"labels.{role}"] or "" for role in _ROLES}
    return table | {"labels": labels, "examples": [_example(values, n) for n in _used(values)]}


def values_of(persona: Persona) -> dict[str, Any]:
    """What the fields say of `persona`; `table_of` that is the table of its file."""
    examples = [asdict(example) for example in persona.examples]
    examples += [{}] * (MOST_EXAMPLES - len(examples))
    labels = asdict(persona.labels) if persona.labels else {}
    return {
        **{key: getattr(persona, key) for key in _TEXTS},
        "raw": persona.labels is None,
        "suggestions": _joined(persona.suggestions),
        "stop": _joined(persona.stop),
        **{f"labels.{role}": labels.get(role) for role in _ROLES},
        **{f"sampling.{name}": value for name, value in asdict(persona.sampling).items()},
        **{
            f"examples[{number}].{role}": example.get(role)
            for number, example in enumerate(examples, 1)
            for role in _ROLES
        },
    }


def place_of(error: PersonaError, values: Values, say: Translate) -> tuple[str | None, str]:
    """Where something is wrong: (the key of the field, what is wrong with it).

    The key is None if it is about no field of the form. At its field the key, with which the
    message begins in any language, is left out.
    """
    key, message = error.field or "", error.message(say)
    rest = message.removeprefix(key).lstrip(": ")
    if example := re.fullmatch(r"examples\[(\d+)\](\..+)", key):
        key = f"examples[{_used(values)[int(example[1]) - 1]}]{example[2]}"
    key = {"labels": "labels.assistant"}.get(key, key)
    return (key, rest) if key in values else (None, message)


def _example(values: Values, number: int) -> dict[str, str]:
    return {role: values[f"examples[{number}].{role}"] or "" for role in _ROLES}


def _used(values: Values) -> list[int]:
    """The numbers of the examples in which something is written."""
    return [n for n in range(1, MOST_EXAMPLES + 1) if any(_example(values, n).values())]


def _joined(texts: Sequence[str]) -> str:
    r"""Texts, one a line; a line break within one is written as \n."""
    return "\n".join(text.replace("\\", r"\\").replace("\n", r"\n") for text in texts)


def _split(lines: str | None) -> list[str]:
    """The texts that `_joined` was given."""
    return [
        re.sub(r"\\[n\\]", lambda escape: _ESCAPES[escape[0]], line)
        for line in (lines or "").split("\n")
        if line
    ]

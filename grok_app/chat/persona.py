"""A persona: who speaks, in what voice, and how it is sampled. One TOML file each."""

from __future__ import annotations

import logging
import tomllib
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from grok_app.errors import PersonaError

log = logging.getLogger(__name__)

LONGEST_LABEL = 80  # characters
_RANGES = {
    "temperature": (0.0, 5.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 1_000_000),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (0.5, 2.0),
    "max_tokens": (1, 8192),
}


@dataclass(frozen=True)
class Sampling:
    """How a persona's replies are drawn; the names are the engine's."""

    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.05
    max_tokens: int = 160


@dataclass(frozen=True)
class Exchange:
    """An example of a turn and its reply in the wanted voice."""

    user: str
    assistant: str


@dataclass(frozen=True)
class Labels:
    """The names that begin a line: whose turn it is."""

    user: str = "User"
    assistant: str = "Assistant"


@dataclass(frozen=True)
class Persona:
    """What `prompts/<slug>.toml` says.

    Attributes:
        slug: the file's name without its ending; how programs name the persona.
        name, description, icon: for the page. The icon is an emoji.
        preamble: says who speaks; stands before everything, always.
        examples: turns in the wanted voice, between preamble and conversation.
        labels: None for raw completion, where the text is continued as it is.
        stop: texts that end a reply, besides the labels.
        sampling: see `Sampling`.
        suggestions: openings to choose from.
    """

    slug: str
    name: str
    description: str
    icon: str = "\N{SPEECH BALLOON}"
    preamble: str = ""
    examples: tuple[Exchange, ...] = ()
    labels: Labels | None = field(default_factory=Labels)
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    suggestions: tuple[str, ...] = ()

    @property
    def stops(self) -> tuple[str, ...]:
        """All texts that end a reply: the next label, whosever it is, and its own."""
        if self.labels is None:
            return self.stop
        return (f"\n{self.labels.user}:", f"\n{self.labels.assistant}:", *self.stop)


_KEYS = {item.name for item in fields(Persona)} - {"slug"} | {"raw"}


def load_personas(folder: Path) -> tuple[Persona, ...]:
    """The personas of a folder, in the order of their file names.

    A malformed file is named in the log with what is wrong, and left out.

    Raises:
        PersonaError: there is no such folder, or no good file in it.
    """
    if not folder.is_dir():
        raise PersonaError(f"{folder} is not a folder; expected one with a TOML file a persona")
    personas: dict[str, Persona] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            persona = load_persona(path)
            if persona.slug in personas:
                raise PersonaError(f"{path.name}: there is a persona {persona.slug!r} already")
            personas[persona.slug] = persona
        except PersonaError as error:
            log.warning("%s; this persona is left out", error)
    if not personas:
        raise PersonaError(f"{folder} has no persona that could be read; expected TOML files")
    return tuple(personas.values())


def load_persona(path: Path) -> Persona:
    """One persona.

    Raises:
        PersonaError: the file cannot be read or is malformed; names file and key.
    """
    try:
        return read_persona(_slug(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PersonaError(f"{path.name}: cannot be read as TOML: {error}") from None
    except PersonaError as error:
        raise PersonaError(f"{path.name}: {error}") from None


def read_persona(slug: str, text: str) -> Persona:
    """A persona from the text of its file, which may come from anywhere.

    Raises:
        PersonaError: the text is no TOML; or names the key, what was given and what was expected.
    """
    try:
        text.encode()  # half a surrogate pair is no text: it could be neither kept nor tokenized
        return parse_persona(slug, tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise PersonaError(f"cannot be read as TOML: {error}") from None


def _slug(path: Path) -> str:
    """The file's name without its ending and the number that orders it: `10-grok` is "grok"."""
    number, dash, name = path.stem.partition("-")
    return name if dash and number.isdigit() and name else path.stem


def parse_persona(slug: str, values: dict[str, Any]) -> Persona:
    """A persona from the content of its file.

    Raises:
        PersonaError: names the key, what was given and what was expected.
    """
    _check_keys("", values, _KEYS)
    raw = _typed("raw", values.get("raw", False), bool)
    labels = None if raw else _table("labels", values.get("labels", {}), Labels)
    persona = Persona(
        slug=slug,
        name=_text("name", values, required=True),
        description=_text("description", values, required=True),
        icon=_text("icon", values) or Persona.icon,
        preamble=_text("preamble", values).strip(),
        examples=tuple(_examples(values.get("examples", []))),
        labels=labels,
        stop=_texts("stop", values.get("stop", [])),
        sampling=parse_sampling(values.get("sampling", {})),
        suggestions=_texts("suggestions", values.get("suggestions", [])),
    )
    _check_labels(persona, values)
    return persona


def parse_sampling(values: Any) -> Sampling:
    """Settings from a table of them; those not in it are the defaults.

    Raises:
        PersonaError: names the setting, what was given and what was expected.
    """
    return _table("sampling", values, Sampling)


def _check_labels(persona: Persona, values: dict[str, Any]) -> None:
    if persona.labels is None:
        unused = [key for key in ("labels", "examples") if values.get(key)]
        if unused:
            raise PersonaError(f"{unused[0]} with raw = true, which has no turns; remove one")
        return
    for key, label in vars(persona.labels).items():
        if len(label) > LONGEST_LABEL:
            raise PersonaError(
                f"labels.{key} has {len(label)} characters; expected at most {LONGEST_LABEL}"
            )
        if not label or label != label.strip() or any(c in label for c in ":\n\r"):
            raise PersonaError(
                f"labels.{key} is {label!r}; expected a name without colon or line break"
            )
    if persona.labels.user.casefold() == persona.labels.assistant.casefold():
        raise PersonaError(f"labels: both are {persona.labels.user!r}; expected two names")


def _examples(values: Any) -> list[Exchange]:
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise PersonaError("examples is no list of tables; write [[examples]] with user, assistant")
    exchanges = []
    for number, value in enumerate(values, 1):
        exchange = _table(f"examples[{number}]", value, Exchange)
        for key, text in vars(exchange).items():
            if not text.strip():
                raise PersonaError(f"examples[{number}].{key} is empty; expected a text")
        exchanges.append(exchange)
    return exchanges


def _table(where: str, values: Any, kind: Any) -> Any:
    """A dataclass of texts or numbers from a TOML table."""
    _typed(where, values, dict)
    _check_keys(f"{where}.", values, {item.name for item in fields(kind)})
    for item in fields(kind):
        if item.name not in values:
            if item.default is MISSING:
                raise PersonaError(f"{where}.{item.name} is missing; expected a text")
            continue
        value, name = values[item.name], f"{where}.{item.name}"
        if item.name not in _RANGES:
            _typed(name, value, str)
            continue
        least, most = _RANGES[item.name]
        whole = isinstance(least, int)
        right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not right or not least <= value <= most:
            kind_of = "a whole number" if whole else "a number"
            raise PersonaError(f"{name} is {value!r}; expected {kind_of} from {least} to {most}")
    return kind(**values)


def _check_keys(where: str, values: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise PersonaError(f"{where}{unknown[0]} is unknown; expected {', '.join(sorted(known))}")


def _text(key: str, values: dict[str, Any], required: bool = False) -> str:
    text = _typed(key, values.get(key, ""), str)
    if required and not text.strip():
        raise PersonaError(f"{key} is missing or empty; expected a text")
    return text


def _texts(key: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise PersonaError(f"{key} is {values!r}; expected a list of texts, none empty")
    return tuple(values)


def _typed(key: str, value: Any, kind: type) -> Any:
    names = {str: "a text", bool: "true or false", dict: "a table"}
    if not isinstance(value, kind):
        raise PersonaError(f"{key} is {value!r}; expected {names[kind]}")
    return value

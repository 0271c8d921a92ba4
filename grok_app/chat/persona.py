"""A persona: who speaks, in what voice, and how it is sampled. One TOML file each."""

from __future__ import annotations

import logging
import tomllib
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from grok_app.errors import PersonaError, RequestError
from grok_app.files import read_whole
from grok_app.sampling import Sampling

log = logging.getLogger(__name__)

LONGEST_LABEL = 80  # characters
_LARGEST = 200_000  # bytes of a file


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
        raise PersonaError(
            "{folder} is not a folder; expected one with a TOML file a persona", folder=folder
        )
    personas: dict[str, Persona] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            persona = load_persona(path)
            if persona.slug in personas:
                raise PersonaError(
                    "{file}: there is a persona {slug!r} already", file=path.name, slug=persona.slug
                )
            personas[persona.slug] = persona
        except PersonaError as error:
            log.warning("%s; this persona is left out", error)
    if not personas:
        raise PersonaError(
            "{folder} has no persona that could be read; expected TOML files", folder=folder
        )
    return tuple(personas.values())


def load_persona(path: Path) -> Persona:
    """One persona.

    Raises:
        PersonaError: the file cannot be read or is malformed; names file and key.
    """
    try:
        return read_persona(_slug(path), read_whole(path, _LARGEST).decode())
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise PersonaError(
            "{file}: cannot be read as TOML: {why}", file=path.name, why=why
        ) from None
    except PersonaError as error:
        raise PersonaError("{file}: {problem}", file=path.name, problem=error) from None


def read_persona(slug: str, text: str) -> Persona:
    """A persona from the text of its file, which may come from anywhere.

    Raises:
        PersonaError: the text is no TOML; or names the key, what was given and what was expected.
    """
    try:
        text.encode()  # half a surrogate pair is no text: it could be neither kept nor tokenized
        return parse_persona(slug, tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise PersonaError("cannot be read as TOML: {why}", why=error) from None


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
    _typed("sampling", values, dict)
    _check_keys("sampling.", values, {item.name for item in fields(Sampling)})
    try:
        return Sampling(**values)
    except RequestError as error:
        field = f"sampling.{error.field}"
        raise PersonaError(error.template, field=field, **error.values) from None


def _check_labels(persona: Persona, values: dict[str, Any]) -> None:
    if persona.labels is None:
        unused = [key for key in ("labels", "examples") if values.get(key)]
        if unused:
            raise PersonaError(
                "{field} with raw = true, which has no turns; remove one", field=unused[0]
            )
        return
    for key, label in vars(persona.labels).items():
        if len(label) > LONGEST_LABEL:
            raise PersonaError(
                "{field} has {size:,} characters; expected at most {most:,}",
                field=f"labels.{key}",
                size=len(label),
                most=LONGEST_LABEL,
            )
        if not label or label != label.strip() or any(c in label for c in ":\n\r"):
            raise PersonaError(
                "{field} is {given!r}; expected a name without colon or line break",
                field=f"labels.{key}",
                given=label,
            )
    if persona.labels.user.casefold() == persona.labels.assistant.casefold():
        raise PersonaError(
            "{field}: both are {given!r}; expected two names",
            field="labels",
            given=persona.labels.user,
        )


def _examples(values: Any) -> list[Exchange]:
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise PersonaError(
            "{field} is no list of tables; write [[examples]] with user, assistant",
            field="examples",
        )
    exchanges = []
    for number, value in enumerate(values, 1):
        exchange = _table(f"examples[{number}]", value, Exchange)
        for key, text in vars(exchange).items():
            if not text.strip():
                field = f"examples[{number}].{key}"
                raise PersonaError("{field} is empty; expected a text", field=field)
        exchanges.append(exchange)
    return exchanges


def _table(where: str, values: Any, kind: Any) -> Any:
    """A dataclass of texts from a TOML table."""
    _typed(where, values, dict)
    _check_keys(f"{where}.", values, {item.name for item in fields(kind)})
    for item in fields(kind):
        field = f"{where}.{item.name}"
        if item.name in values:
            _typed(field, values[item.name], str)
        elif item.default is MISSING:
            raise PersonaError("{field} is missing; expected a text", field=field)
    return kind(**values)


def _check_keys(where: str, values: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise PersonaError(
            "{field} is unknown; expected {known}",
            field=where + unknown[0],
            known=", ".join(sorted(known)),
        )


def _text(key: str, values: dict[str, Any], required: bool = False) -> str:
    text = _typed(key, values.get(key, ""), str)
    if required and not text.strip():
        raise PersonaError("{field} is missing or empty; expected a text", field=key)
    return text


def _texts(key: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise PersonaError(
            "{field} is {given!r}; expected a list of texts, none empty", field=key, given=values
        )
    return tuple(values)


def _typed(key: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise PersonaError(
            {
                str: "{field} is {given!r}; expected a text",
                bool: "{field} is {given!r}; expected true or false",
                dict: "{field} is {given!r}; expected a table",
            }[kind],
            field=key,
            given=value,
        )
    return value

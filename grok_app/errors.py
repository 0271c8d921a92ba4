"""What can go wrong, as a tree that a caller can catch at the height it wants.

GrokError
|-- CheckpointError    the files of a model are missing, damaged or do not fit one another
|-- SettingsError      an option of the app or of `load` is wrong
|-- EngineFailed       the engine's thread has ended; the message says why
`-- UserError          what a visitor or a program asked for cannot be done; can be translated
    |-- PersonaError       a persona file is malformed
    |-- ConversationError  a saved conversation is malformed
    |-- RequestError       one request is impossible, such as a setting out of range
    |   `-- ContextExceeded    it has more text than fits the context
    `-- EngineBusy         every slot and the whole queue are taken: try again
        `-- EngineEnding       no new requests are taken, for the server is about to end
"""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter
from typing import Any

_LONGEST = 1000  # characters of a value that an error tells


def shortened(text: str) -> str:
    """As much of a text, which may be anybody's, as an error can tell."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


class GrokError(Exception):
    """Base of every error this package raises on purpose."""


class CheckpointError(GrokError):
    """The files of a model are missing, damaged or do not fit one another."""


class SettingsError(GrokError):
    """An option of the app or of `load` is wrong."""


class EngineFailed(GrokError):
    """The engine's thread has ended and serves nobody any more."""


class UserError(GrokError):
    """What somebody asked for cannot be done; the message can be given in another language.

    Attributes:
        template: the message in English, a constant; its values stand in braces, as for
            `str.format`. `{field}` is the field's name.
        field: the name of the setting or key that is wrong, such as "labels.user"; None if the
            error is about no field in particular.
        values: the values by their names; one may be a UserError itself.
    """

    def __init__(self, template: str, *, field: str | None = None, **values: Any):
        super().__init__(template)
        self.template, self.field, self.values = template, field, values

    def __str__(self) -> str:
        """The message in English."""
        return self.message(str)

    def message(self, translate: Callable[[str], str]) -> str:
        """The message in another language: `translate` is given the template, and what in the
        values is to be translated too, and returns what it does not know as it is."""
        return _Filling(translate).vformat(
            translate(self.template), (), {**self.values, "field": self.field}
        )


class PersonaError(UserError):
    """A persona file is malformed."""


class ConversationError(UserError):
    """A saved conversation, which may come from anywhere, is malformed."""


class RequestError(UserError):
    """One request is impossible; others are not concerned."""


class ContextExceeded(RequestError):
    """The text is longer than the model's context, or than can be read at all."""


class EngineBusy(UserError):
    """Every slot and the whole queue are taken; the same request may pass later."""


class EngineEnding(EngineBusy):
    """No new requests are taken any more, for the server is about to end."""


class _Filling(Formatter):
    """Fills a template: an error within an error is translated too, `{size:,}` has the language's
    own thousands separator, the translation of ",", and of a long value the beginning is told."""

    def __init__(self, translate: Callable[[str], str]):
        self._translate = translate

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, UserError):
            return value.message(self._translate)
        text = shortened(str(super().format_field(value, format_spec)))
        return text.replace(",", self._translate(",")) if format_spec == "," else text

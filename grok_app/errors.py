"""What can go wrong, as a tree that a caller can catch at the height it wants.

GrokError
|-- CheckpointError    the files of a model are missing, damaged or do not fit one another
|-- SettingsError      an option of the app or of `load` is wrong
|-- PersonaError       a persona file is malformed
|-- ConversationError  a saved conversation is malformed
|-- RequestError       one request is impossible, such as a setting out of range
|   `-- ContextExceeded    it has more text than fits the context
|-- EngineBusy         every slot and the whole queue are taken: try again
`-- EngineFailed       the engine's thread has ended; the message says why
"""


class GrokError(Exception):
    """Base of every error this package raises on purpose."""


class CheckpointError(GrokError):
    """The files of a model are missing, damaged or do not fit one another."""


class SettingsError(GrokError):
    """An option of the app or of `load` is wrong."""


class PersonaError(GrokError):
    """A persona file is malformed."""


class ConversationError(GrokError):
    """A saved conversation, which may come from anywhere, is malformed."""


class RequestError(GrokError):
    """One request is impossible; others are not concerned."""


class ContextExceeded(RequestError):
    """The text is longer than the model's context, or than can be read at all."""


class EngineBusy(GrokError):
    """Every slot and the whole queue are taken; the same request may pass later."""


class EngineFailed(GrokError):
    """The engine's thread has ended and serves nobody any more."""

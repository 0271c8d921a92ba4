"""Makes Gradio remember nothing of a visit."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from gradio.routes import App
from gradio.state_holder import SessionState, StateHolder

# What the event that is being answered has made of components. Each request has a context of its
# own, so this goes with the request.
_made: ContextVar[dict[int, Any] | None] = ContextVar("made", default=None)


class _NoState(SessionState):
    """The components as they were laid out, but for what the event that is being answered has made
    of them."""

    def __getitem__(self, key: int) -> Any:
        made = _made.get()
        return made[key] if made and key in made else super().__getitem__(key)

    def __setitem__(self, key: int, value: Any) -> None:
        made = _made.get()
        if made is None:
            _made.set(made := {})
        made[key] = value

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class _NoStates(StateHolder):
    """The same for every visit, at no cost."""

    def __getitem__(self, session_id: str) -> SessionState:
        if not hasattr(self, "_same"):
            self._same = _NoState(self.blocks)
        return self._same

    def __contains__(self, session_id: str) -> bool:
        return True


def forget_visits(app: App) -> None:
    """Gradio keeps each visit's components with their newest values, up to megabytes of them, until
    10,000 others have come. This page has all of that in the browser, and its components check
    nothing against what they were before (see `Choice`)."""
    app.state_holder = _NoStates()
    app.state_holder.set_blocks(app.get_blocks())

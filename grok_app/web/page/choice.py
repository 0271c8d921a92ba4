"""A list to choose from whose entries differ from visitor to visitor."""

from __future__ import annotations

from typing import Any

import gradio as gr


class Choice(gr.Dropdown):
    """A dropdown that leaves it to its event to say whether a choice is known.

    Gradio's own compares with the choices that it remembers of a visit, and refuses what was
    chosen once it has forgotten them, as after a restart.
    """

    is_template = True  # in the browser it is Gradio's dropdown

    def preprocess(self, payload: Any) -> Any:
        """The value as the browser sent it, where it is a text."""
        return payload if isinstance(payload, str) else ""

    def postprocess(self, value: Any) -> Any:
        """The value as the event gives it, without Gradio's warning about choices unknown to it."""
        return value

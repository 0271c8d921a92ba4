"""What a visitor has written or set and not sent yet is there again after a reload."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from grok_app.web.page.events import QUICK, calls
from grok_app.web.page.scripts import scripted


def keep_drafts(parts: Sequence[gr.components.Component]) -> gr.HTML:
    """Lets the browser keep the values of `parts`, and give them back when the page is loaded.

    A part is known by its label and its place among those of that label, so that another version
    of the page finds what it has too. The server takes no part in it.
    """
    names = _names(parts)
    view = scripted("drafts", "", elem_id="drafts")
    gr.on(
        [part.change for part in parts],  # type: ignore[attr-defined]
        None,
        list(parts),
        None,
        js=calls("keepDrafts", names),
        **QUICK,
    )
    view.select(
        None,
        list(parts),
        list(parts),
        js=calls("takeDrafts", names, [_bounds(part) for part in parts]),
        **QUICK,
    )
    return view


def _bounds(part: gr.components.Component) -> list[float] | None:
    """Least and most of a slider: what was kept of another server may be beyond this one's."""
    return [part.minimum, part.maximum] if isinstance(part, gr.Slider) else None


def _names(parts: Sequence[gr.components.Component]) -> list[str]:
    names: list[str] = []
    for part in parts:
        label = part.elem_id or str(part.label)
        names.append(f"{label} {sum(name.rpartition(' ')[0] == label for name in names)}")
    return names

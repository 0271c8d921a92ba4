"""What a visitor has written or set and not sent yet is there again after a reload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from grok_app.web.page.events import QUICK, calls
from grok_app.web.page.scripts import scripted

Parts = Sequence[gr.components.Component]


@dataclass(frozen=True)
class Kept:
    """The parts of a tab whose values the browser keeps, each under its `elem_id`.

    Attributes:
        own: drafts: what was written in one tab of the browser is of no other.
        shared: settings: a new tab of the browser begins with what another one has set.
    """

    own: Parts = ()
    shared: Parts = ()


def keep_drafts(*several: Kept) -> gr.HTML:
    """Lets the browser keep the values of the parts, and give them back when the page is loaded.

    The server takes no part in it.
    """
    own = [part for kept in several for part in kept.own]
    shared = [part for kept in several for part in kept.shared]
    parts = [*own, *shared]
    names = _names(parts)
    view = scripted("drafts", "", elem_id="drafts")
    gr.on(
        [part.change for part in parts],  # type: ignore[attr-defined]
        None,
        parts,
        None,
        js=calls("keepDrafts", names[: len(own)], names[len(own) :]),
        **QUICK,
    )
    view.select(
        None,
        parts,
        parts,
        js=calls("takeDrafts", names, [_bounds(part) for part in parts]),
        **QUICK,
    ).then(None, None, None, js=calls("draftsAreBack"), **QUICK)
    return view


def _bounds(part: gr.components.Component) -> list[float] | None:
    """Least and most of a slider: what was kept of another server may be beyond this one's."""
    return [part.minimum, part.maximum] if isinstance(part, gr.Slider) else None


def _names(parts: Parts) -> list[str]:
    names = [part.elem_id or "" for part in parts]
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(f"a part that is kept needs an elem_id of its own: {sorted(names)}")
    return names

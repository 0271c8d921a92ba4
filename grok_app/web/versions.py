"""The line below the chat: leafing through the versions of a turn, and having the model go on."""

from __future__ import annotations

from collections import Counter
from typing import Any

import gradio as gr

from grok_app.chat import Conversation
from grok_app.web.words import Translate

_MINE = "turn {turn}: version {at} of {many} of your message"
_ITS = "turn {turn}: version {at} of {many} of the reply"
_BEHIND = "all was taken back; what was said is still there"
Updates = dict[Any, Any]


class Versions:
    """The components of the line; what a press does is said by whoever has the conversation."""

    def __init__(self) -> None:
        """Lays them out."""
        self.place = gr.State(None)
        """Which turn of the branch is leafed through."""
        with gr.Row(elem_id="versions", visible=False) as self.row:
            self.older = gr.Button("‹", size="sm", min_width=36, scale=0, elem_id="older")
            self.label = gr.Markdown("", elem_id="version")
            self.newer = gr.Button("›", size="sm", min_width=36, scale=0, elem_id="newer")
            self.more = gr.Button("Continue", size="sm", min_width=90, scale=0, elem_id="more")

    @property
    def outputs(self) -> list[gr.blocks.Block]:
        """What `shown` gives new values for."""
        return [self.place, self.row, self.label, self.older, self.newer, self.more]

    def shown(
        self,
        talk: Conversation,
        said: Translate,
        place: int | None = None,
        answering: bool = False,
    ) -> Updates:
        """The line for the branch's turn at `place`, or for the last one that has versions; what is
        `answering` already need not be asked to go on."""
        children = Counter(node.parent for node in talk.nodes)
        many = [k for k, i in enumerate(talk.path) if children[talk.nodes[i].parent] > 1]
        place = place if place in many else (many[-1] if many else None)
        can_go_on = bool(talk.turns) and not answering
        updates: Updates = {
            self.place: place,
            self.row: gr.update(visible=can_go_on or place is not None),
            self.more: gr.update(visible=can_go_on),
        }
        if talk.nodes and not talk.path:
            return updates | {
                self.row: gr.update(visible=True),
                self.label: said(_BEHIND),
                self.older: gr.update(visible=True, interactive=True),
                self.newer: gr.update(visible=False),
            }
        if place is None:
            hidden = gr.update(visible=False)
            return updates | {self.label: "", self.older: hidden, self.newer: hidden}
        versions = talk.versions(place)
        at = versions.index(talk.path[place])
        label = _MINE if talk.turns[place].role == "user" else _ITS
        return updates | {
            self.label: said(label).format(turn=place + 1, at=at + 1, many=len(versions)),
            self.older: gr.update(visible=True, interactive=at > 0),
            self.newer: gr.update(visible=True, interactive=at < len(versions) - 1),
        }

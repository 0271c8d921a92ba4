"""The line below the chat: the versions of a turn, and having the model go on."""

from __future__ import annotations

from collections import Counter

import gradio as gr

from grok_app.chat import Conversation
from grok_app.web.page.events import Updates
from grok_app.web.page.words import Translate

_MINE = "turn {turn}: version {at} of {many} of your message"
_ITS = "turn {turn}: version {at} of {many} of the reply"
_MORE = "what followed here is still there"


class Versions:
    """The components of the line; what a press does is decided by whoever has the conversation."""

    def __init__(self) -> None:
        """Lays them out."""
        # Not a gr.State, for which a page holds a connection all the time.
        self.place = gr.Textbox("", visible=False)
        """Which turn of the branch the arrows are for; empty: what follows its last turn."""
        with gr.Row(elem_id="versions", visible=False) as self.row:
            self.older = gr.Button("‹", size="sm", min_width=36, scale=0, elem_id="older")
            self.label = gr.Markdown("", elem_id="version")
            self.newer = gr.Button("›", size="sm", min_width=36, scale=0, elem_id="newer")
            self.more = gr.Button("Continue", size="sm", min_width=90, scale=0, elem_id="more")

    @property
    def outputs(self) -> list[gr.blocks.Block]:
        """What `updates` gives new values for."""
        return [self.place, self.row, self.label, self.older, self.newer, self.more]

    def updates(
        self, conversation: Conversation, say: Translate, place: int | None = None
    ) -> Updates:
        """The line for the branch's turn at `place`, or for the last one that has versions; where
        the last turn is not an end, for what follows it."""
        idle = conversation.pending is None
        branch = conversation.answered()
        children = Counter(node.parent for node in branch.nodes)
        many = [k for k, i in enumerate(branch.path) if children[branch.nodes[i].parent] > 1]
        chosen = place in many
        if not chosen:
            place = many[-1] if many else None
        can_go_on = bool(branch.turns) and idle
        updates: Updates = {
            self.place: "" if place is None else str(place),
            self.row: gr.update(visible=can_go_on or place is not None),
            self.more: gr.update(visible=can_go_on),
        }
        if idle and children[branch.leaf] and not chosen:
            return updates | {
                self.place: "",
                self.row: gr.update(visible=True),
                self.label: say(_MORE),
                self.older: gr.update(visible=False),
                self.newer: gr.update(visible=True, interactive=True),
            }
        if place is None:
            hidden = gr.update(visible=False)
            return updates | {self.label: "", self.older: hidden, self.newer: hidden}
        versions = branch.versions(place)
        at = versions.index(branch.path[place])
        label = _MINE if branch.turns[place].role == "user" else _ITS
        return updates | {
            self.label: say(label).format(turn=place + 1, at=at + 1, many=len(versions)),
            self.older: gr.update(visible=True, interactive=idle and at > 0),
            self.newer: gr.update(visible=True, interactive=idle and at < len(versions) - 1),
        }

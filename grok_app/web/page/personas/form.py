"""The fields in which a persona is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import gradio as gr

from grok_app.chat import Persona
from grok_app.chat.persona import LONGEST_LABEL
from grok_app.web.page.chat.controls import SLIDERS
from grok_app.web.page.events import Updates
from grok_app.web.page.personas.fields import values_of
from grok_app.web.page.personas.personas import LENGTHS, MOST_EXAMPLES
from grok_app.web.page.words import Translate

Field = gr.Textbox | gr.Checkbox | gr.Number


class PersonaForm:
    """A component for each key of a persona's file; `examples[2].user` is one."""

    def __init__(self, persona: Persona):
        """Lays the fields out, with what `persona` is, not to be changed."""
        self._fields: dict[str, Field] = {}
        self._first = values_of(persona)
        with gr.Row():
            self._add(
                "name", gr.Textbox, label="Name", max_length=LENGTHS["name"], scale=4, min_width=160
            )
            self._add(
                "icon", gr.Textbox, label="Icon", max_length=LENGTHS["icon"], scale=1, min_width=70
            )
        self._add("description", gr.Textbox, label="Description", max_lines=3)
        self._add(
            "preamble",
            gr.Textbox,
            label="Preamble",
            info="says who speaks; stands before everything, always",
            lines=3,
            max_lines=12,
        )
        self._add("raw", gr.Checkbox, label="Raw: no turns, the text is continued as it is")
        with gr.Column(elem_id="persona-turns"):
            with gr.Row():
                label: dict[str, Any] = {"max_length": LONGEST_LABEL, "min_width": 120}
                self._add("labels.user", gr.Textbox, label="Label of the person", **label)
                self._add("labels.assistant", gr.Textbox, label="Label of the persona", **label)
            gr.Markdown("Examples of what is said, and of the reply in the wanted voice:")
            for number in range(1, MOST_EXAMPLES + 1):
                self._add_example(number)
        with gr.Accordion("Openings, stop strings and sampling", open=False):
            self._add_rest()
        self._infos = {key: str(field.info or "") for key, field in self._fields.items()}

    def _add(self, key: str, kind: type[Field], **props: Any) -> None:
        name = "persona-" + re.sub(r"\W+", "-", key)  # examples[2].user: persona-examples-2-user
        self._fields[key] = kind(self._first[key], interactive=False, elem_id=name, **props)

    def _add_example(self, number: int) -> None:
        with gr.Row(elem_classes="example-turns"):
            common: dict[str, Any] = {"show_label": False, "max_lines": 6, "min_width": 140}
            self._add(
                f"examples[{number}].user",
                gr.Textbox,
                label="Example of a turn",
                placeholder="The person says ...",
                **common,
            )
            self._add(
                f"examples[{number}].assistant",
                gr.Textbox,
                label="Example of a reply",
                placeholder="The persona replies ...",
                **common,
            )

    def _add_rest(self) -> None:
        self._add(
            "suggestions",
            gr.Textbox,
            label="Openings to choose from",
            info=r"one a line; \n is a line break",
            lines=3,
            max_lines=12,
        )
        self._add(
            "stop",
            gr.Textbox,
            label="Stop strings",
            info=r"texts that end a reply, one a line; \n is a line break",
            lines=2,
            max_lines=16,
        )
        with gr.Row():
            for name, (label, info, *_, step) in SLIDERS.items():
                self._add(
                    f"sampling.{name}",
                    gr.Number,
                    label=label,
                    info=info,
                    step=step,
                    precision=0 if step == 1 else None,
                    min_width=150,
                )

    @property
    def name(self) -> Field:
        """The field with the persona's name."""
        return self._fields["name"]

    @property
    def fields(self) -> list[Field]:
        """The components, in the order of what `values` is given."""
        return list(self._fields.values())

    def values(self, inputs: Sequence[Any]) -> dict[str, Any]:
        """What the fields say, by their keys; `inputs` are the values of `fields`."""
        return dict(zip(self._fields, inputs, strict=True))

    def filled(self, persona: Persona | None, editable: bool, say: Translate) -> Updates:
        """The fields with what `persona` is; empty without one. None is marked as wrong."""
        values = values_of(persona) if persona else {}
        return {
            field: gr.update(
                value=values.get(key),
                interactive=editable,
                **self._mark(key, "", say),
            )
            for key, field in self._fields.items()
        }

    def marked(self, key: str | None, message: str, say: Translate) -> Updates:
        """The fields with the one marked in which something is wrong, if there is one."""
        return {
            field: gr.update(**self._mark(other, message if other == key else "", say))
            for other, field in self._fields.items()
        }

    def _mark(self, key: str, message: str, say: Translate) -> dict[str, Any]:
        info = message or say(self._infos[key])  # "" and not None, which would change nothing
        return {"info": info, "elem_classes": ["wrong"] if message else []}

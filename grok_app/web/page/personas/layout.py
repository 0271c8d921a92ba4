"""The tab on which a visitor writes personas: they are kept in the visitor's browser."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

import gradio as gr

from grok_app.chat import Persona, Turn, write_persona
from grok_app.errors import GrokError, PersonaError
from grok_app.replies import chat_prompt
from grok_app.web.page.choice import Choice
from grok_app.web.page.drafts import Kept
from grok_app.web.page.events import QUICK, Updates, calls
from grok_app.web.page.notice import Notice, explain
from grok_app.web.page.personas.fields import place_of, table_of
from grok_app.web.page.personas.form import PersonaForm
from grok_app.web.page.personas.personas import (
    Change,
    Personas,
    changed,
    new_slug,
    read_own,
    texts_of,
    write_own,
)
from grok_app.web.page.words import Translate, language_of, sentence

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

_SHIPPED = "This one comes with the page and stays as it is. Copy it to make it your own."
_KEPT = "Kept in your browser, and nowhere else."
_CHANGED = "Not saved yet."
_WRONG = "Not saved: something has to be mended first."
_LONGEST_SAMPLE = 2000  # characters of the message to try


class PersonasTab:
    """The list, the form, and the prompt that comes of it."""

    def __init__(self, engine: Engine, personas: Personas, own: gr.HTML, notice: Notice):
        """Lays the components out; `own` is the shelf of the visitor's own personas."""
        self.engine, self.personas = engine, personas
        self.shelf, self._notice = own, notice
        self.shown = gr.Textbox(personas.first.slug, visible=False, elem_id="persona-shown")
        """Which persona the form has, also where the list says another one already.

        Not a `gr.State`: the server would say which, the browser what is in the fields, and on a
        slow line the one would be newer than the other.
        """
        with gr.Row(elem_id="persona-bar"):
            self.list = Choice(
                personas.choices(),
                value=personas.first.slug,
                label="Persona to look at",
                show_label=False,
                container=False,
                filterable=False,
                min_width=170,
                elem_id="persona-list",
            )
            quiet: dict[str, Any] = {"size": "sm", "min_width": 70}
            self.new = gr.Button("New", **quiet)
            self.copy = gr.Button("Copy", **quiet)
            self.delete = gr.Button("Delete", interactive=False, **quiet)
            self.export = gr.Button("Export", **quiet)
        with gr.Row(elem_id="persona-editor"):
            with gr.Column(scale=3, min_width=300):
                self.form = PersonaForm(personas.first)
            with gr.Column(scale=2, min_width=280, elem_id="persona-view"):
                with gr.Row(elem_id="persona-save"):
                    self.note = gr.Markdown(_SHIPPED, elem_id="persona-note")
                    self.save = gr.Button("Save", variant="primary", interactive=False, **quiet)
                self.sample = gr.Textbox(
                    "Hello, who are you?",
                    label="A message to try",
                    max_length=_LONGEST_SAMPLE,
                    elem_id="persona-sample",
                )
                self.prompt = gr.Textbox(
                    label="The very prompt the model is given",
                    lines=8,
                    max_lines=24,
                    interactive=False,
                    elem_id="persona-prompt",
                )
                self.file = gr.Textbox(
                    label="Its file",
                    lines=3,
                    max_lines=12,
                    interactive=False,
                    buttons=["copy"],
                    elem_id="persona-file",
                )
                with gr.Accordion("Import by pasting", open=False, elem_id="persona-import"):
                    self.pasted = gr.Textbox(
                        label="The text of a persona's file", lines=4, max_lines=12
                    )
                    self.paste = gr.Button("Import this text", size="sm")

    def kept(self) -> Kept:
        """What a visitor has written and not saved, to be there again after a reload."""
        return Kept(own=[self.shown, self.sample, *self.form.fields])

    def connect(self, blocks: gr.Blocks) -> None:
        """Says what each event does."""
        form = [self.shown, self.sample, *self.form.fields]
        view = [self.prompt, self.file, self.note, self.save, self.export]
        told = self._notice.view
        page = [self.list, self.shelf, self.shown, self.delete, told, *self.form.fields, *view]
        # Not `input`: a text box has none when something is pasted or deleted.
        written = [field.change for field in (self.sample, *self.form.fields)]
        gr.on(
            [blocks.load, self.shelf.select, *written],
            self.on_type,
            [self.shelf, *form],
            [*self.form.fields, *view],
            trigger_mode="always_last",
            **QUICK,
        )
        for event, handler, first in (
            (self.list.input, self.on_choose, [self.list]),
            (self.save.click, self.on_save, []),
            (self.new.click, self.on_new, []),
            (self.copy.click, self.on_copy, []),
            (self.shelf.submit, self.on_file, []),
            (self.paste.click, self.on_paste, [self.pasted]),
        ):
            event(handler, [*first, self.shelf, *form], page, **QUICK)
        self.delete.click(self.on_delete, [self.shelf, self.shown, self.sample], page, **QUICK)
        latest: dict[str, Any] = {"trigger_mode": "always_last", **QUICK}
        opened = [self.list, self.delete, *self.form.fields]
        self.shown.change(self.on_shown, [self.shown], opened, **latest)
        kept = [self.shelf.select, self.shelf.input]
        gr.on(kept, self.on_kept, [self.shelf], [self.list, told], **latest)
        self.export.click(
            self.on_export, [self.shelf, *form], [self.form.name, self.file], **QUICK
        ).success(None, [self.form.name, self.file], None, js=calls("savePersona"), **QUICK)

    # What is shown.

    def on_shown(self, slug: str) -> Updates:
        """Another persona is in the form, perhaps one that was being written before a reload."""
        mine = not self.personas.is_shipped(slug)
        components = (self.delete, *self.form.fields)
        return {self.list: slug, **{each: gr.update(interactive=mine) for each in components}}

    def on_kept(self, request: gr.Request, own: str) -> Updates:
        """The visitor's personas are others than before, perhaps by another tab."""
        updates: Updates = {self.list: gr.update(choices=self.personas.choices(own))}
        try:
            texts_of(own)
        except PersonaError as error:
            updates[self._notice.view] = self._notice.error(error, language_of(request))
        return updates

    def on_type(
        self, request: gr.Request, own: str, slug: str, sample: str, *inputs: Any
    ) -> Updates:
        """The form is another than before: its prompt, or what is wrong with it."""
        say, values = language_of(request), self.form.values(inputs)
        if not (before := self._before(slug, own)):
            return {self.note: gr.skip()}
        try:
            text = write_own(slug, table_of(values))
        except PersonaError as error:
            key, message = place_of(error, values, say)
            message = sentence(message)
            return (
                self.form.marked(key, message, say)
                | {self.note: say(_WRONG) if key else message}
                | self._pressable(False, False)
            )
        persona, mine = read_own(slug, text), not self.personas.is_shipped(slug)
        changed = mine and persona != before
        note = _CHANGED if changed else _KEPT if mine else _SHIPPED
        return (
            self.form.marked(None, "", say)
            | {self.note: say(note)}
            | self._viewed(persona, text, sample, say)
            | self._pressable(changed, True)
        )

    # What is done.

    def on_choose(
        self, request: gr.Request, chosen: str, own: str, slug: str, sample: str, *inputs: Any
    ) -> Updates:
        """Another one is to be seen; what was written so far is kept."""
        if chosen == slug:  # the list was only left, of which Gradio tells as well
            return {self.note: gr.skip()}
        return self._left(request, own, slug, sample, inputs, chosen)

    def on_save(
        self, request: gr.Request, own: str, slug: str, sample: str, *inputs: Any
    ) -> Updates:
        """What is written is to be kept."""
        return self._left(request, own, slug, sample, inputs, slug)

    def on_new(
        self, request: gr.Request, own: str, slug: str, sample: str, *inputs: Any
    ) -> Updates:
        """A persona to begin with."""
        say = language_of(request)
        begun = Persona("", say("New persona"), say("Says who it is in a sentence."))
        return self._left(request, own, slug, sample, inputs, new_slug(), write_persona(begun))

    def on_copy(
        self, request: gr.Request, own: str, slug: str, sample: str, *inputs: Any
    ) -> Updates:
        """A copy of the one in the form, with all that was changed in it."""
        say = language_of(request)
        table = table_of(self.form.values(inputs))
        table["name"] = say("Copy of {name}").format(name=table["name"])
        try:
            copied = write_own(slug, table)
        except PersonaError as error:
            return self._refused(request, error, slug)
        return self._left(request, own, slug, sample, inputs, new_slug(), copied)

    def on_file(
        self,
        request: gr.Request,
        event: gr.EventData,
        own: str,
        slug: str,
        sample: str,
        *inputs: Any,
    ) -> Updates:
        """A file was read in the browser."""
        return self._imported(request, str(event.text), own, slug, sample, inputs)

    def on_paste(
        self, request: gr.Request, text: str, own: str, slug: str, sample: str, *inputs: Any
    ) -> Updates:
        """The text of a file was pasted."""
        return self._imported(request, text, own, slug, sample, inputs)

    def on_delete(self, request: gr.Request, own: str, slug: str, sample: str) -> Updates:
        """The persona in the form is to go; the browser offers to take it back."""
        try:
            return self._opened(request, own, {slug: None}, self.personas.first.slug, sample)
        except PersonaError as error:
            return self._refused(request, error, slug)

    def on_export(
        self, request: gr.Request, own: str, slug: str, sample: str, *inputs: Any
    ) -> Updates:
        """The file of what is in the form by now: the view may be a moment behind it."""
        if not self._before(slug, own):
            return {self.file: gr.skip()}  # of another version of the page, as it is
        try:
            return {self.file: write_own(slug, table_of(self.form.values(inputs)))}
        except PersonaError as error:
            raise gr.Error(
                html.escape(explain(error, language_of(request))), print_exception=False
            ) from error

    def _imported(
        self, request: gr.Request, text: str, own: str, slug: str, sample: str, inputs: Any
    ) -> Updates:
        imported = new_slug()
        try:
            text = write_persona(read_own(imported, text.replace("\r\n", "\n")))
        except PersonaError as error:
            return self._refused(request, error, slug)
        return self._left(request, own, slug, sample, inputs, imported, text)

    def _left(
        self,
        request: gr.Request,
        own: str,
        slug: str,
        sample: str,
        inputs: Any,
        chosen: str,
        added: str = "",
    ) -> Updates:
        """Saves what the form has, adds the file `added`, and opens `chosen`.

        Where the form cannot be saved it stays, and the visitor is told why.
        """
        change: Change = {}
        try:
            before = texts_of(own).get(slug)
            if before is not None and self._before(slug, own):
                written = write_own(slug, table_of(self.form.values(inputs)))
                if written != before:
                    change[slug] = written
            if added:
                change[chosen] = added
            return self._opened(request, own, change, chosen, sample)
        except PersonaError as error:
            return self._refused(request, error, slug)

    def _before(self, slug: str, own: str) -> Persona | None:
        """The persona as it is kept; None if it cannot be read."""
        try:
            return self.personas.find(slug, own)
        except GrokError:
            return None

    def _refused(self, request: gr.Request, error: PersonaError, slug: str) -> Updates:
        told = self._notice.error(error, language_of(request))
        return {self.list: slug, self._notice.view: told}

    def _opened(
        self, request: gr.Request, own: str, change: Change, slug: str, sample: str
    ) -> Updates:
        """The persona in the form, with all that belongs to it, after a change if there is one.

        The browser is told of the change alone: since it sent `own` it may have got others, from
        another tab or by taking back a deletion.
        """
        own = changed(own, change)
        say, choices = language_of(request), self.personas.choices(own)
        if slug not in (known for _, known in choices):
            slug = self.personas.first.slug
        mine = not self.personas.is_shipped(slug)
        chosen: Updates = {
            self.list: slug,
            self.shown: slug,
            self.delete: gr.update(interactive=mine),
        }
        if change:
            chosen[self.list] = gr.update(choices=choices, value=slug)
            chosen[self.shelf] = json.dumps(change)
        try:
            persona = self.personas.find(slug, own)
        except GrokError as error:  # kept by another version of the page, or by hand
            return (
                chosen
                | self.form.filled(None, False, say)
                | {self.note: explain(error, say), self.prompt: "", self.file: texts_of(own)[slug]}
                | self._pressable(False, True)
            )
        return (
            chosen
            | self.form.filled(persona, mine, say)
            | {self.note: say(_KEPT if mine else _SHIPPED)}
            | self._viewed(persona, write_persona(persona), sample, say)
            | self._pressable(False, True)
        )

    def _pressable(self, save: bool, export: bool) -> Updates:
        return {
            self.save: gr.update(interactive=save),
            self.export: gr.update(interactive=export),
        }

    def _viewed(self, persona: Persona, text: str, sample: str, say: Translate) -> Updates:
        """The prompt for a message, as the chat would build it, and the persona's file."""
        turns = [Turn("user", sample[:_LONGEST_SAMPLE])]  # the bound of the field is the browser's
        try:
            prompt = chat_prompt(self.engine, persona, turns, persona.sampling.max_tokens)
        except GrokError as error:
            return {self.prompt: explain(error, say), self.file: text}
        info = say("{used} of {context} tokens").format(
            used=prompt.tokens, context=self.engine.context
        )
        return {self.prompt: gr.update(value=prompt.text, info=info), self.file: text}

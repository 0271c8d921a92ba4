"""Personas of one's own: written, kept in the browser, used, carried away and brought back."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, FilePayload, Page, ViewportSize, expect

from grok_app.chat import load_personas, read_persona
from tests.app_process import ROOT
from tests.browser.test_chat_page import (
    DESK,
    PHONE,
    choose_persona,
    done,
    open_page,
    open_settings,
    send,
    wait_until_saved,
)

STORE = "grok-1-personas"
PIRATE = """name = "Pirate <b>Ann</b>"
icon = "\N{BLACK FLAG}"
description = "Sails <script>alert(1)</script>."
preamble = "A talk with Ann, a pirate."
suggestions = ["Where is the gold?"]

[labels]
user = "Sailor"
assistant = "Ann"

[[examples]]
user = "Hi"
assistant = "Ahoy."
"""

HALF = "Half a preamble"


@pytest.fixture
def editor(page: Page, app_url: str) -> Page:
    page.set_viewport_size(DESK)
    open_editor(page, app_url)
    return page


def open_editor(page: Page, url: str) -> None:
    open_page(page, url)
    page.get_by_role("tab", name="Personas").click()
    expect(prompt(page)).to_have_value(re.compile("Hello, who are you"))


def press(page: Page, name: str) -> None:
    page.locator("#persona-bar, #persona-save").get_by_role("button", name=name, exact=True).click()


def field(page: Page, label: str):
    """The box below that label, whatever is said about it."""
    name = page.get_by_test_id("block-info").filter(has_text=re.compile(rf"^\s*{label}\s*$"))
    return page.locator("#persona-editor label").filter(has=name).locator("textarea, input").first


def prompt(page: Page):
    return page.locator("#persona-prompt textarea")


def listed(page: Page, selector: str = "#persona-list") -> list[str]:
    page.locator(f"{selector} input").click()
    texts = page.get_by_role("option").all_inner_texts()
    page.locator(f"{selector} input").blur()  # it opens when it is gone to
    return [text.replace("\N{CHECK MARK}", "").strip() for text in texts]


def wait_until_listed(
    page: Page, name: str, selector: str = "#persona-list", *, wanted: bool = True
) -> None:
    """Looks again and again: a list that is open does not change."""
    for _ in range(20):
        if any(name in text for text in listed(page, selector)) == wanted:
            return
        page.wait_for_timeout(500)
    pytest.fail(f"{name} in the list {selector}: expected {wanted}, was {not wanted}")


def kept(page: Page) -> dict[str, str]:
    return json.loads(page.evaluate(f"localStorage.getItem('{STORE}')") or "{}")


def wait_until_kept(page: Page, count: int) -> None:
    """The browser writes its store a moment after the page has changed."""
    page.wait_for_function(
        "([key, count]) => Object.keys(JSON.parse(localStorage[key] ?? '{}')).length == count",
        arg=[STORE, count],
    )


def copy(page: Page) -> None:
    press(page, "Copy")
    expect(field(page, "Name")).to_have_value("Copy of Grok")
    expect(field(page, "Name")).to_be_editable()
    page.wait_for_function(f"localStorage['{STORE}']?.includes('Copy of Grok')")


def import_text(page: Page, text: str) -> None:
    file = FilePayload(name="a.toml", mimeType="application/toml", buffer=text.encode())
    page.locator("#shelf input[type=file]").set_input_files(file)


def test_the_shipped_ones_are_looked_at_and_copied_not_changed(editor: Page) -> None:
    expect(field(editor, "Name")).to_have_value("Grok")
    expect(field(editor, "Name")).not_to_be_editable()
    expect(editor.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    expect(editor.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    copy(editor)
    (text,) = kept(editor).values()
    shipped = load_personas(ROOT / "prompts")[0]
    copied = read_persona("grok", text)
    assert copied.name == "Copy of Grok"
    assert (copied.preamble, copied.examples) == (shipped.preamble, shipped.examples)


def test_one_is_written_with_the_prompt_in_view_and_answers_in_the_chat(editor: Page) -> None:
    copy(editor)
    field(editor, "Name").fill("Ann")
    field(editor, "Preamble").fill("Ann is a pirate.")
    field(editor, "Label of the persona").fill("Ann")
    field(editor, "A message to try").fill("Ahoy!")
    expect(prompt(editor)).to_have_value(
        re.compile(r"^Ann is a pirate\.\n\n[^$]*User: Ahoy!\nAnn:$")
    )
    expect(editor.locator("#persona-note")).to_have_text("Not saved yet.")
    press(editor, "Save")
    expect(editor.locator("#persona-note")).to_contain_text("Kept in your browser")
    editor.reload()
    editor.wait_for_selector("#message textarea")
    wait_until_listed(editor, "Ann", "#persona")
    choose_persona(editor, "Ann")
    expect(editor.locator("#chat")).to_contain_text("\N{MILKY WAY} Ann")
    send(editor, "What do you like to eat?")
    done(editor)
    editor.locator("#prompt button").first.click()
    expect(editor.locator("#prompt textarea")).to_have_value(re.compile(r"^Ann is a pirate\.\n"))
    wait_until_saved(editor, 2)
    editor.reload()
    expect(editor.locator("#chat [data-testid=bot]")).to_have_count(1)
    expect(editor.locator("#persona input")).to_have_value("\N{MILKY WAY} Ann")


def test_its_settings_count_as_soon_as_they_are_saved(editor: Page) -> None:
    copy(editor)
    editor.get_by_role("tab", name="Chat").click()
    wait_until_listed(editor, "Copy of Grok", "#persona")
    choose_persona(editor, "Copy of Grok")
    editor.get_by_role("tab", name="Personas").click()
    editor.get_by_text("Openings, stop strings and sampling").click()
    field(editor, "Temperature").fill("0.2")
    press(editor, "Save")
    expect(editor.locator("#persona-note")).to_contain_text("Kept in your browser")
    editor.get_by_role("tab", name="Chat").click()
    open_settings(editor)
    expect(editor.locator("#temperature input[type=number]")).to_have_value("0.2")


def test_what_is_wrong_is_said_at_the_field_and_not_kept(editor: Page) -> None:
    copy(editor)
    before = kept(editor)
    field(editor, "Label of the person").fill("a:b")
    wrong = editor.locator("#persona-editor .wrong")
    expect(wrong).to_have_count(1)
    expect(wrong).to_contain_text("Is 'a:b'; expected a name without colon or line break.")
    expect(editor.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    press(editor, "New")
    expect(editor.get_by_text("Labels.user is 'a:b'")).to_be_visible()
    expect(field(editor, "Label of the person")).to_have_value("a:b")
    assert kept(editor) == before
    field(editor, "Label of the person").fill("Sailor")
    expect(wrong).to_have_count(0)
    expect(prompt(editor)).to_have_value(re.compile("Sailor: Hello"))


def test_going_to_another_keeps_what_was_written(editor: Page) -> None:
    copy(editor)
    field(editor, "Name").fill("Ann")
    expect(editor.locator("#persona-note")).to_have_text("Not saved yet.")
    press(editor, "New")
    expect(field(editor, "Name")).to_have_value("New persona")
    wait_until_kept(editor, 2)
    names = [read_persona("x", text).name for text in kept(editor).values()]
    assert names == ["Ann", "New persona"]


def test_what_is_not_saved_survives_a_reload_and_is_this_tabs_alone(
    editor: Page, app_url: str
) -> None:
    copy(editor)
    write_on(editor)
    editor.reload()
    editor.get_by_role("tab", name="Personas").click()
    written_on(editor)
    other = editor.context.new_page()
    open_editor(other, app_url)
    expect(field(other, "Name")).to_have_value("Grok")
    expect(field(other, "Preamble")).not_to_have_value(HALF)
    expect(other.locator("#persona-raw input")).not_to_be_checked()
    before = kept(editor)
    press(other, "New")
    wait_until_kept(other, 2)
    assert kept(other).items() > before.items()
    written_on(editor)


def write_on(page: Page) -> None:
    """Changes the persona in the form, and saves nothing."""
    field(page, "Preamble").fill(HALF)
    page.locator("#persona-raw input").check()
    expect(page.locator("#persona-note")).to_have_text("Not saved yet.")
    page.wait_for_timeout(300)  # the browser keeps it a moment later


def written_on(page: Page) -> None:
    expect(field(page, "Name")).to_have_value("Copy of Grok")
    expect(field(page, "Preamble")).to_have_value(HALF)
    expect(page.locator("#persona-raw input")).to_be_checked()
    expect(page.locator("#persona-note")).to_have_text("Not saved yet.")


def test_deleted_and_taken_back(editor: Page) -> None:
    copy(editor)
    before = kept(editor)
    press(editor, "Delete")
    expect(editor.locator("#shelf .note")).to_contain_text("The persona was deleted.")
    expect(field(editor, "Name")).to_have_value("Grok")
    wait_until_kept(editor, 0)
    wait_until_listed(editor, "Copy of Grok", wanted=False)
    editor.locator("#persona-list input").click()  # to leave it tells the server of it
    editor.locator("#shelf .note button").click()
    expect(editor.locator("#shelf .note")).to_be_empty()
    wait_until_kept(editor, 1)
    assert kept(editor) == before
    wait_until_listed(editor, "Copy of Grok")


def test_what_is_taken_back_while_another_one_is_being_made_stays(editor: Page) -> None:
    copy(editor)
    (taken_back,) = kept(editor).items()
    press(editor, "Delete")
    expect(field(editor, "Name")).to_have_value("Grok")
    wait_until_kept(editor, 0)
    undo = "document.querySelector('#shelf .note button')"
    new = editor.locator("#persona-bar").get_by_role("button", name="New", exact=True)
    new.evaluate(f"button => {{ button.click(); {undo}.click(); }}")
    expect(field(editor, "Name")).to_have_value("New persona")
    wait_until_kept(editor, 2)
    assert taken_back in kept(editor).items()
    wait_until_listed(editor, "Copy of Grok")
    wait_until_listed(editor, "New persona")


def test_leaving_the_list_leaves_the_form_as_it_is(editor: Page) -> None:
    copy(editor)
    editor.locator("#persona-list input").click()
    with editor.expect_response("**/run/predict*"):
        field(editor, "Name").fill("Ann")
    expect(editor.locator("#persona-note")).to_have_text("Not saved yet.")
    expect(field(editor, "Name")).to_have_value("Ann")


def test_exported_and_imported_it_is_the_same(editor: Page) -> None:
    import_text(editor, PIRATE)
    expect(field(editor, "Name")).to_have_value("Pirate <b>Ann</b>")
    expect(editor.locator("#persona-file textarea")).to_have_value(re.compile("Pirate"))
    with editor.expect_download() as download:
        press(editor, "Export")
    assert download.value.suggested_filename == "Pirate-b-Ann-b.toml"
    exported = Path(download.value.path()).read_text("utf-8")
    assert read_persona("x", exported) == read_persona("x", PIRATE)
    editor.get_by_text("Import by pasting").click()
    editor.get_by_label("The text of a persona's file").fill(exported)
    editor.get_by_role("button", name="Import this text").click()
    expect(editor.locator("#persona-list input")).to_have_value(re.compile("Pirate"))
    wait_until_kept(editor, 2)
    assert {read_persona("x", text) for text in kept(editor).values()} == {
        read_persona("x", PIRATE)
    }


def test_a_bad_file_is_explained(editor: Page) -> None:
    import_text(editor, 'name = "A"\ndescription = "b"\nmood = "x"')
    expect(editor.get_by_text("Mood is unknown; expected")).to_be_visible()
    assert not kept(editor)


def test_markup_in_a_persona_stays_text(editor: Page) -> None:
    import_text(editor, PIRATE)
    expect(field(editor, "Name")).to_have_value("Pirate <b>Ann</b>")
    editor.get_by_role("tab", name="Chat").click()
    wait_until_listed(editor, "Pirate <b>Ann</b>", "#persona")
    choose_persona(editor, "Pirate")
    expect(editor.locator("#chat .placeholder")).to_contain_text("Sails")
    assert not editor.locator("#chat b, #chat script").count()


def test_a_full_store_is_reported_and_loses_nothing(editor: Page) -> None:
    copy(editor)
    before = kept(editor)
    editor.evaluate("""() => { Storage.prototype.setItem = () => {
        throw new DOMException("full", "QuotaExceededError"); }; }""")
    press(editor, "New")
    problem = editor.locator("#shelf .problem")
    expect(problem).to_contain_text(
        "Your browser does not keep your personas: its storage is full."
    )
    assert kept(editor) == before
    expect(field(editor, "Name")).to_have_value("New persona")


def test_another_tab_of_the_browser_hears_of_it(editor: Page, app_url: str) -> None:
    other = editor.context.new_page()
    open_page(other, app_url)
    copy(editor)
    wait_until_listed(other, "Copy of Grok", "#persona")


def test_other_visitors_see_nothing_of_it(
    editor: Page, context: BrowserContext, app_url: str
) -> None:
    copy(editor)
    other = context.new_page()
    open_page(other, app_url)
    assert not any("Copy of Grok" in text for text in listed(other, "#persona"))


def test_one_that_another_version_of_the_page_kept_can_be_rescued(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    broken = json.dumps({"own-0123abcd": "mood = 3"})
    page.evaluate("([key, text]) => localStorage.setItem(key, text)", [STORE, broken])
    open_editor(page, app_url)
    wait_until_listed(page, "own-0123abcd")
    page.locator("#persona-list input").click()
    page.get_by_role("option").filter(has_text="own-0123abcd").click()
    expect(page.locator("#persona-note")).to_contain_text("Mood is unknown")
    expect(page.locator("#persona-file textarea")).to_have_value("mood = 3")
    press(page, "Delete")
    expect(field(page, "Name")).to_have_value("Grok")
    wait_until_kept(page, 0)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_is_wider_than_the_screen(page: Page, app_url: str, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    open_editor(page, app_url)
    copy(page)
    field(page, "Name").fill("x" * 80)
    expect(page.locator("#persona-note")).to_have_text("Not saved yet.")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_its_name_stands_beside_its_experts_and_it_is_missed_when_gone(editor: Page) -> None:
    import_text(editor, PIRATE)
    expect(field(editor, "Name")).to_have_value("Pirate <b>Ann</b>")
    editor.get_by_role("tab", name="Chat").click()
    wait_until_listed(editor, "Pirate <b>Ann</b>", "#persona")
    choose_persona(editor, "Pirate")
    send(editor, "What do you like to eat?")
    done(editor)
    editor.get_by_role("button", name="Watch the experts").click()
    expect(editor.locator("#experts select")).to_contain_text("Pirate <b>Ann</b>")
    editor.get_by_role("tab", name="Personas").click()
    press(editor, "Delete")
    expect(editor.get_by_text("there is no persona 'own-").first).to_be_attached()

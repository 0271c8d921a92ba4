"""The page in a real browser, with the real model."""

import json
import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page, Route, ViewportSize, expect

from grok_app.chat.persona import load_persona
from tests.app_process import ROOT

DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
SECONDS = 1000.0
expect.set_options(timeout=20 * SECONDS)


@pytest.fixture
def chat(page: Page, app_url: str) -> Page:
    page.set_viewport_size(DESK)
    open_page(page, app_url)
    return page


def open_page(page: Page, url: str, theme: str = "light") -> None:
    page.goto(f"{url}/?__theme={theme}")
    page.wait_for_selector("#message textarea")
    expect(page.locator("#chat .example").first).to_be_visible()


def send(page: Page, text: str) -> None:
    page.fill("#message textarea", text)
    page.press("#message textarea", "Enter")


def done(page: Page, count: int = 1) -> None:
    """Waits until `count` replies stand there and none is being made."""
    expect(page.locator("#chat [data-testid=bot]")).to_have_count(count)
    expect(page.locator("#message button.stop-button")).to_have_count(0)
    expect(page.locator("#message button.submit-button")).to_be_visible()
    # Until the event itself has ended, a moment later, Gradio takes no other of its kind.
    below = page.locator("#chat .message-buttons").last
    expect(below.locator("button").nth(1)).to_be_enabled()


def stored(page: Page) -> list[dict[str, Any]]:
    """All conversations in the browser's store."""
    read = """async () => {
        const open = indexedDB.open("grok-1-in-the-browser");
        const database = await new Promise(done => { open.onsuccess = () => done(open.result); });
        const all = database.transaction("conversations").objectStore("conversations").getAll();
        const records = await new Promise(done => { all.onsuccess = () => done(all.result); });
        database.close();
        return records.map(record => record.text);
    }"""
    return [json.loads(text) for text in page.evaluate(read)]


def wait_until_saved(page: Page, count: int) -> None:
    """Waits until the browser's store has so many turns, of all versions, of the open conversation:
    it is written a moment after the page has changed."""
    current = "document.querySelector('#conversations li:has([aria-current])')?.dataset.id"
    for _ in range(300):
        opened = page.evaluate(current)
        if any(talk["id"] == opened and len(talk["nodes"]) == count for talk in stored(page)):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"{count} turns were never saved")


def bot(page: Page) -> list[str]:
    return page.locator("#chat [data-testid=bot]").all_inner_texts()


def user(page: Page) -> list[str]:
    return page.locator("#chat [data-testid=user]").all_inner_texts()


def set_slider(page: Page, name: str, value: float) -> None:
    box = page.locator(f"#{name} input[type=number]")
    box.fill(str(value))
    box.press("Tab")


def open_settings(page: Page) -> None:
    page.locator("#settings .toggle-button").click()
    expect(page.locator("#seed textarea, #seed input")).to_be_visible()


def test_a_message_is_answered(chat: Page) -> None:
    send(chat, "Hello, how are you?")
    expect(chat.locator("#message textarea")).to_have_value("")
    done(chat)
    assert user(chat) == ["Hello, how are you?"]
    assert bot(chat)[0].strip()
    expect(chat.locator("#status")).to_contain_text("tokens/s")
    expect(chat.locator("#status")).to_contain_text("of 1024 tokens")
    expect(chat.locator("#about")).to_contain_text("nano · 27 million parameters")
    expect(chat.locator("#about")).to_contain_text("a base model")


def test_a_suggested_opening_is_answered(chat: Page) -> None:
    opening = chat.locator("#chat .example").first
    text = opening.inner_text()
    opening.click()
    done(chat)
    assert user(chat) == [text]


def test_shift_enter_breaks_the_line(chat: Page) -> None:
    chat.fill("#message textarea", "one")
    chat.press("#message textarea", "Shift+Enter")
    chat.locator("#message textarea").press_sequentially("two")
    expect(chat.locator("#message textarea")).to_have_value("one\ntwo")
    chat.press("#message textarea", "Enter")
    done(chat)
    assert user(chat) == ["one\ntwo"]


def test_an_empty_message_is_no_turn(chat: Page) -> None:
    send(chat, "   ")
    expect(chat.get_by_text("Write a message first.")).to_be_visible()
    assert not user(chat)


def test_an_empty_message_leaves_the_conversation_as_it_is(chat: Page) -> None:
    send(chat, "Hello")
    done(chat)
    before = user(chat), bot(chat)
    send(chat, "")
    expect(chat.get_by_text("Write a message first.")).to_be_visible()
    chat.wait_for_timeout(500)
    assert (user(chat), bot(chat)) == before
    done(chat)
    send(chat, "Go on")
    done(chat, 2)


def test_stop_keeps_what_there_is(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    choose_persona(page, "Raw completion")
    send(page, "It was a dark night, and the captain")
    expect(page.locator("#chat [data-testid=bot]")).to_contain_text(re.compile(r"\w+ \w+"))
    page.locator("#message button.stop-button").click()
    done(page)
    kept = bot(page)[0]
    page.wait_for_timeout(1000)
    assert bot(page)[0] == kept
    open_settings(page)
    set_slider(page, "max-tokens", 5)
    send(page, "And then")
    done(page, 2)


def test_retry_gives_another_reply(chat: Page) -> None:
    send(chat, "Tell me something about yourself and your family.")
    done(chat)
    replies = {bot(chat)[0]}
    for version in range(2, 5):  # a small model may say the same twice
        chat.get_by_label("Retry").last.click()
        expect(chat.locator("#version")).to_contain_text(f"version {version} of {version}")
        done(chat)
        replies.add(bot(chat)[0])
    assert len(replies) > 1
    assert len(user(chat)) == 1


def test_undo_gives_the_message_back(chat: Page) -> None:
    send(chat, "First")
    done(chat)
    send(chat, "Second")
    done(chat, 2)
    chat.get_by_label("Undo").last.click()
    expect(chat.locator("#message textarea")).to_have_value("Second")
    assert user(chat) == ["First"]
    assert len(bot(chat)) == 1


def test_what_was_undone_to_the_beginning_can_be_had_again(chat: Page) -> None:
    send(chat, "First")
    done(chat)
    before = user(chat), bot(chat)
    chat.get_by_label("Undo").last.click()
    expect(chat.locator("#chat .example").first).to_be_visible()
    expect(chat.locator("#version")).to_contain_text("is still there")
    chat.locator("#newer").click()
    expect(chat.locator("#chat [data-testid=bot]")).to_have_count(1)
    assert (user(chat), bot(chat)) == before


def test_editing_a_message_asks_again(chat: Page) -> None:
    send(chat, "What is love?")
    done(chat)
    chat.get_by_label("Edit").first.click()
    box = chat.locator("#chat textarea")
    box.fill("What is <b>money</b>?")
    chat.get_by_label("Submit").click()
    expect(chat.locator("#chat [data-testid=user]")).to_have_text(
        "What is <\u2060b>money<\u2060/b>?"
    )
    done(chat)
    chat.get_by_text("The exact prompt").click()
    expect(chat.locator("#prompt textarea")).to_have_value(
        re.compile(r"User: What is <b>money</b>\?\nGrok:$")
    )


def test_copy_puts_the_reply_on_the_clipboard(chat: Page) -> None:
    chat.context.grant_permissions(["clipboard-read", "clipboard-write"])
    send(chat, "Hello")
    done(chat)
    chat.get_by_label("Copy message").last.click()
    said = bot(chat)[0].strip()
    for _ in range(100):  # it is there a moment later
        if chat.evaluate("navigator.clipboard.readText()").strip() == said:
            return
        chat.wait_for_timeout(100)
    pytest.fail("the reply is not on the clipboard")


def test_what_is_copied_has_no_marks_in_it(chat: Page) -> None:
    chat.context.grant_permissions(["clipboard-read", "clipboard-write"])
    said = "Is #include <stdio.h> <b>bold</b>, and ![x]?"
    send(chat, said)
    done(chat)
    chat.locator("#chat [data-testid=user]").first.select_text()
    chat.keyboard.press("Control+C")
    assert chat.evaluate("navigator.clipboard.readText()").strip() == said
    chat.evaluate(
        "text => navigator.clipboard.writeText(text)", "a <\u2060b !\u2060[x]\u2060 !\u2060x"
    )
    assert chat.evaluate("navigator.clipboard.readText()") == "a <b ![x]\u2060 !x"


@pytest.mark.parametrize("button", ["#new", "#chat [aria-label=Clear], #chat [title=Clear]"])
def test_clear_begins_anew(chat: Page, button: str) -> None:
    send(chat, "Hello")
    done(chat)
    chat.locator(button).first.click()
    expect(chat.locator("#chat .example").first).to_be_visible()
    assert not user(chat)
    send(chat, "Again")
    done(chat)
    assert user(chat) == ["Again"]


@pytest.mark.parametrize("wait", [0, 300])
def test_a_reply_does_not_come_back_after_a_new_chat(chat: Page, wait: int) -> None:
    choose_persona(chat, "Raw completion")
    open_settings(chat)
    set_slider(chat, "max-tokens", 1024)
    send(chat, "It was a dark night, and the captain said")
    expect(chat.locator("#chat [data-testid=user]")).to_have_count(1)
    chat.wait_for_timeout(wait)
    chat.locator("#new").click()
    expect(chat.locator("#chat .example").first).to_be_visible()
    chat.wait_for_timeout(1500)
    assert not user(chat)
    expect(chat.locator("#chat .example").first).to_be_visible()


@pytest.mark.parametrize("other", ["a new one", "one that is kept"])
def test_a_message_that_is_answered_late_leaves_what_was_opened_since(
    chat: Page, other: str
) -> None:
    send(chat, "Hello")
    done(chat)
    chat.locator("#new").click()
    expect(chat.locator("#chat .example").first).to_be_visible()
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    chat.route("**/gradio_api/run/**", hold_the_first)
    send(chat, "It was a dark night, and the captain said")
    chat.wait_for_timeout(300)
    if other == "a new one":
        chat.locator("#new").click()
    else:
        chat.locator("#talks .toggle-button").click()
        chat.locator("#conversations li .open").first.click()
    chat.wait_for_timeout(300)
    held[0].continue_()
    expect(chat.locator("#conversations li")).to_have_count(2)
    chat.wait_for_timeout(1500)
    assert user(chat) == ([] if other == "a new one" else ["Hello"])


def test_a_draft_survives_another_reply_and_one_that_goes_on(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    choose_persona(page, "Raw completion")  # which no label ends
    open_settings(page)
    set_slider(page, "max-tokens", 4)  # so that there is more to say
    send(page, "Hello")
    done(page)
    draft = page.locator("#message textarea")
    draft.fill("What I want to say next")
    page.get_by_label("Retry").last.click()
    expect(page.locator("#version")).to_contain_text("version 2 of 2")
    done(page)
    expect(draft).to_have_value("What I want to say next")
    page.locator("#begin textarea").fill("Well")
    page.locator("#more").click()
    expect(page.locator("#version")).to_contain_text("version 3 of 3")
    done(page)
    expect(draft).to_have_value("What I want to say next")
    expect(page.locator("#begin textarea")).to_have_value("Well")  # it was not used


def test_a_refused_message_ends_the_reply_before_it(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    choose_persona(page, "Raw completion")
    open_settings(page)
    set_slider(page, "max-tokens", 2)
    send(page, "It was a dark night, and the captain")
    done(page)
    set_slider(page, "max-tokens", 200)
    page.get_by_label("Retry").last.click()
    expect(page.locator("#message button.stop-button")).to_be_visible()
    long = "word " * 20_000
    send(page, long)
    expect(page.get_by_text("100,000 characters")).to_be_visible()
    done(page)
    expect(page.locator("#message textarea")).to_have_value(long)


def test_a_turn_can_be_pointed_at_while_its_reply_is_made(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    choose_persona(page, "Raw completion")
    send(page, "It was a dark night, and the captain")
    expect(page.locator("#chat [data-testid=bot]")).to_contain_text(re.compile(r"\w+ \w+"))
    page.locator("#chat [data-testid=user]").click()
    page.wait_for_timeout(1000)
    expect(page.locator("#message button.stop-button")).to_be_visible()
    expect(page.locator("#more")).to_be_hidden()  # it goes on already


def test_a_refused_edit_loses_nothing(chat: Page) -> None:
    for number, text in enumerate(("First", "Second"), 1):
        send(chat, text)
        done(chat, number)
    before = user(chat), bot(chat)
    chat.get_by_label("Edit").first.click()
    chat.locator("#chat textarea").fill("word " * 3000)
    chat.get_by_label("Submit").click()
    expect(chat.get_by_text("shorten the message")).to_be_visible()
    expect(chat.locator("#chat [data-testid=user]")).to_have_text(before[0])  # as it was, again
    assert (user(chat), bot(chat)) == before
    expect(chat.locator("#versions")).to_contain_text("turn 1: version 1 of 2")
    chat.locator("#newer").click()
    expect(chat.locator("#chat [data-testid=user]")).to_contain_text(["word word word"])


def choose_persona(page: Page, name: str) -> None:
    page.locator("#persona input").click()
    page.get_by_role("option", name=name).click()
    expect(page.locator("#chat .placeholder-content")).to_contain_text(name)


def test_a_persona_brings_its_openings_settings_and_voice(chat: Page) -> None:
    cynic = load_persona(ROOT / "prompts" / "50-cynic.toml")
    choose_persona(chat, "Cynic")
    expect(chat.locator("#chat .example").first).to_have_text(cynic.suggestions[0])
    open_settings(chat)
    temperature = chat.locator("#temperature input[type=number]")
    expect(temperature).to_have_value(f"{cynic.sampling.temperature:g}")
    send(chat, "Define work.")
    done(chat)
    chat.get_by_text("The exact prompt").click()
    expect(chat.locator("#prompt textarea")).to_have_value(
        re.compile(r"^Cynic has a low opinion(.|\n)*User: Define work\.\nCynic:$")
    )


def test_settings_count(chat: Page) -> None:
    open_settings(chat)
    set_slider(chat, "max-tokens", 1)
    send(chat, "Hello")
    done(chat)
    expect(chat.locator("#status")).to_contain_text("cut at its longest")


def test_the_same_seed_gives_the_same_reply(chat: Page) -> None:
    open_settings(chat)
    chat.locator("#seed textarea, #seed input").fill("7")
    send(chat, "Hello, who are you?")
    done(chat)
    first = bot(chat)
    chat.locator("#new").click()
    expect(chat.locator("#chat .example").first).to_be_visible()
    send(chat, "Hello, who are you?")
    done(chat)
    assert bot(chat) == first


def test_a_wrong_setting_loses_nothing(chat: Page) -> None:
    open_settings(chat)
    chat.locator("#seed textarea, #seed input").fill("seven")
    send(chat, "Hello")
    expect(chat.get_by_text("The seed is 'seven'")).to_be_visible()
    expect(chat.locator("#message textarea")).to_have_value("Hello")
    assert not user(chat)


def test_a_message_too_long_loses_nothing(chat: Page) -> None:
    long = "word " * 20_000
    send(chat, long)
    expect(chat.get_by_text("100,000 characters")).to_be_visible()
    expect(chat.locator("#message textarea")).to_have_value(long)


def test_turns_that_no_longer_fit_are_told(chat: Page) -> None:
    for number in range(1, 4):
        send(chat, "some words of mine, " * 60)
        done(chat, number)
    expect(chat.locator("#status")).to_contain_text("no longer fit and were left out")


def test_markup_is_shown_and_does_nothing(chat: Page) -> None:
    fetched: list[str] = []
    chat.on("request", lambda request: fetched.append(request.url))
    chat.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    send(
        chat,
        "<b>bold</b> <script>alert(1)</script> <img src=x onerror=alert(2)> "
        "![i](http://evil.invalid/i.png) [l](javascript:alert(3)) **strong** &lt;i&gt;\n"
        '```mermaid\nflowchart TD\nA@{ img: "http://evil.invalid/d.png", label: "x" }\n```',
    )
    done(chat)
    shown = chat.locator("#chat [data-testid=user]")
    text = shown.inner_text().replace("\u2060", "")
    for part in ("<b>bold</b>", "<script>alert(1)</script>", "<img src=x onerror=alert(2)>"):
        assert part in text
    assert shown.locator("strong").inner_text() == "strong"
    expect(shown.locator("code")).to_contain_text("flowchart TD")
    chat.wait_for_timeout(1000)  # a diagram would be drawn a moment later
    for tag in ("b", "script", "img", "[href^=javascript]"):
        assert shown.locator(tag).count() == 0
    assert not any("evil.invalid" in url for url in fetched)


def test_a_picture_in_an_edited_turn_is_not_fetched(chat: Page) -> None:
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    send(chat, "Hello")
    done(chat)
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        picture = f'<img src="http://127.0.0.1:{server.server_port}/x.png">'
        chat.get_by_label("Edit").last.click()
        chat.locator("#chat textarea").fill(picture)
        chat.get_by_label("Submit").click()
        expect(chat.locator("#chat [data-testid=bot]")).to_contain_text("x.png")
        chat.wait_for_timeout(500)
        server.shutdown()
    assert not asked


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_it_fits_the_screen(page: Page, app_url: str, size, theme: str) -> None:
    page.set_viewport_size(size)
    open_page(page, app_url, theme)
    openings = page.locator("#chat .bubble-wrap")
    assert openings.evaluate("e => e.scrollWidth - e.clientWidth") == 0
    send(page, "a_very_long_word_" * 30)
    done(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    for part in ("#message button", "#message textarea", "#persona", "#new", "#about"):
        box = page.locator(part).first.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        assert box["y"] + box["height"] <= size["height"]
    expect(page.locator("#chat")).to_have_css(
        "background-color", {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 20, 31)"}[theme]
    )


def test_after_a_reload_in_the_middle_the_talk_goes_on(chat: Page) -> None:
    choose_persona(chat, "Raw completion")
    send(chat, "It was a dark night")
    expect(chat.locator("#chat [data-testid=bot]")).to_have_count(1)
    chat.reload()
    expect(chat.locator("#chat [data-testid=bot]")).to_have_count(1)
    send(chat, "Hello")
    done(chat, 2)
    assert user(chat) == ["It was a dark night", "Hello"]


def test_nothing_is_fetched_from_elsewhere(new_page: Page, app_url: str) -> None:
    fetched: list[str] = []
    new_page.on("request", lambda request: fetched.append(request.url))
    open_page(new_page, app_url)
    send(new_page, "Hello")
    done(new_page)
    assert [url for url in fetched if not url.startswith((app_url, "data:", "blob:"))] == []

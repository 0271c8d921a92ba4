"""Conversations in the visitor's browser: kept, found, renamed, deleted, carried away."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.browser.test_chat_page import (
    DESK,
    PHONE,
    SECONDS,
    bot,
    choose_persona,
    done,
    open_page,
    open_settings,
    send,
    set_slider,
    stored,
    user,
    wait_until_saved,
)


@pytest.fixture
def talks(page: Page, app_url: str) -> Page:
    page.set_viewport_size(DESK)
    open_page(page, app_url)
    open_list(page)
    return page


def open_list(page: Page) -> None:
    page.locator("#talks .toggle-button").click()
    expect(page.locator("#conversations input[type=search]")).to_be_visible()


def listed(page: Page, *titles: str) -> None:
    """The list has these titles, the newest first."""
    expect(page.locator("#conversations li .open")).to_have_text(list(titles))


def talk(page: Page, *texts: str) -> None:
    """A new conversation, which the browser then has in its store."""
    page.locator("#new").click()
    expect(page.locator("#chat [data-testid=user]")).to_have_count(0)
    for number, text in enumerate(texts, 1):
        send(page, text)
        done(page, number)
    wait_until_saved(page, 2 * len(texts))


def saved(page: Page, count: int = 1) -> list[dict[str, Any]]:
    """All conversations in the browser's store, once there are `count`."""
    expect(page.locator("#conversations li")).to_have_count(count)
    return stored(page)


def press(page: Page, name: str) -> None:
    page.locator("#conversations").get_by_role("button", name=name, exact=True).click()


def exported(page: Page, name: str) -> str:
    with page.expect_download() as download:
        press(page, name)
    return Path(download.value.path()).read_text(encoding="utf-8")


def import_text(page: Page, text: str, name: str = "talk.json") -> None:
    file = FilePayload(name=name, mimeType="application/json", buffer=text.encode())
    page.locator("#conversations input[type=file]").set_input_files(file)


def test_conversations_are_listed_opened_and_survive_a_reload(talks: Page) -> None:
    talk(talks, "Hello, who are you?")
    talk(talks, "What is love?", "And what is money?")
    listed(talks, "What is love?", "Hello, who are you?")
    before = user(talks), bot(talks)
    talks.reload()
    expect(talks.locator("#chat [data-testid=user]")).to_have_count(2)
    assert (user(talks), bot(talks)) == before
    open_list(talks)
    press(talks, "Hello, who are you?")
    expect(talks.locator("#chat [data-testid=user]")).to_have_text(["Hello, who are you?"])
    send(talks, "Go on.")
    done(talks, 2)
    listed(talks, "Hello, who are you?", "What is love?")


def test_a_message_waits_for_the_script_that_keeps_it(page: Page, app_url: str) -> None:
    held: list[Route] = []
    page.route("**/js/conversations.js", lambda route: held.append(route))
    open_page(page, app_url)
    send(page, "Hello")
    page.wait_for_timeout(500)
    assert not user(page)
    for route in held:
        route.continue_()
    done(page)
    wait_until_saved(page, 2)
    (kept,) = saved(page)
    assert [node["role"] for node in kept["nodes"]] == ["user", "assistant"]


def test_a_part_whose_script_does_not_arrive_says_so(page: Page, app_url: str) -> None:
    page.route("**/js/conversations.js", lambda route: route.abort())
    open_page(page, app_url)
    page.locator("#talks .toggle-button").click()
    expect(page.locator("#conversations")).to_contain_text("Reload the page.")


def test_rename_search_delete_and_undo(talks: Page) -> None:
    talk(talks, "Tell me of dogs")
    talk(talks, "Tell me of ships")
    talks.get_by_label("Rename: Tell me of dogs").click()
    box = talks.get_by_label("New title")
    box.fill("Hounds <b>&")
    box.press("Enter")
    listed(talks, "Tell me of ships", "Hounds <b>&")
    search = talks.locator("#conversations input[type=search]")
    search.fill("OF DOGS")  # what was said, not only the title
    listed(talks, "Hounds <b>&")
    search.fill("nothing like it")
    expect(talks.get_by_text("Nothing matches.")).to_be_visible()
    search.fill("")
    talks.get_by_label("Delete: Hounds <b>&").click()
    listed(talks, "Tell me of ships")
    press(talks, "Undo")
    listed(talks, "Tell me of ships", "Hounds <b>&")
    talks.reload()
    open_list(talks)
    listed(talks, "Tell me of ships", "Hounds <b>&")


def test_the_open_conversation_is_open_again_when_its_deletion_is_undone(talks: Page) -> None:
    talk(talks, "Tell me of dogs")
    talks.get_by_label("Delete: Tell me of dogs").click()
    expect(talks.locator("#chat .example").first).to_be_visible()
    press(talks, "Undo")
    expect(talks.locator("#chat .user")).to_have_count(1)
    assert user(talks) == ["Tell me of dogs"]


def test_a_deleted_conversation_that_is_being_answered_stays_deleted(talks: Page) -> None:
    open_settings(talks)
    talks.locator("#max-tokens input[type=number]").fill("1024")
    send(talks, "Tell me a very long story about a ship and a storm")
    listed(talks, "Tell me a very long story about a ship and a storm")
    talks.get_by_label(re.compile("^Delete")).click()
    expect(talks.locator("#chat .example").first).to_be_visible()
    talks.wait_for_timeout(1500)
    expect(talks.locator("#conversations li")).to_have_count(0)
    assert not user(talks)


def test_who_goes_on_while_a_reply_comes_keeps_what_there_is_of_it(
    page: Page, slow_url: str
) -> None:
    page.set_viewport_size(DESK)
    open_page(page, slow_url)
    open_list(page)
    choose_persona(page, "Raw completion")
    page.locator("#chat .example").first.click()
    expect(page.locator("#chat [data-testid=bot]")).to_have_text(re.compile(r"\w"))
    page.locator("#message textarea").fill("And then?")
    page.keyboard.press("Enter")
    expect(page.locator("#chat [data-testid=user]")).to_have_count(2)
    expect(page.locator("#chat [data-testid=bot]")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator("#message button.submit-button")).to_be_visible()
    wait_until_saved(page, 4)
    (kept,) = saved(page)
    said = [(node["parent"], node["role"]) for node in kept["nodes"]]
    assert said == [(None, "user"), (0, "assistant"), (1, "user"), (2, "assistant")]
    assert kept["nodes"][1]["text"]
    assert kept["leaf"] == 3


def test_a_title_can_be_written_while_a_reply_comes(page: Page, slow_url: str) -> None:
    page.set_viewport_size(DESK)
    open_page(page, slow_url)
    open_list(page)
    choose_persona(page, "Raw completion")
    open_settings(page)
    set_slider(page, "max-tokens", 30)
    send(page, "It was a dark night")
    listed(page, "It was a dark night")
    page.get_by_label("Rename: It was a dark night").click()
    title = page.locator("#conversations li input")
    title.fill("A night")
    page.keyboard.press("Escape")  # ends the title, not the reply
    page.get_by_label("Rename: It was a dark night").click()
    title.fill("A dark one")
    expect(page.locator("#status")).to_contain_text("cut at its longest", timeout=60 * SECONDS)
    page.wait_for_timeout(500)
    title.press("Enter")
    listed(page, "A dark one")
    expect(page.get_by_label("Rename: A dark one")).to_be_focused()


def test_the_focus_stays_in_the_list(talks: Page) -> None:
    talk(talks, "First")
    talk(talks, "Second")
    opener = talks.locator("#conversations li .open").last
    opener.focus()
    talks.keyboard.press("Enter")
    expect(talks.locator("#chat [data-testid=user]")).to_have_text(["First"])
    expect(talks.locator("#conversations li .open").last).to_be_focused()
    talks.get_by_label("Delete: First").focus()
    talks.keyboard.press("Enter")
    expect(talks.get_by_label("Delete: Second")).to_be_focused()
    talks.keyboard.press("Enter")
    expect(talks.locator("#conversations input[type=search]")).to_be_focused()


def test_retries_and_edits_are_versions(talks: Page) -> None:
    talk(talks, "What is love?")
    first = bot(talks)
    talks.get_by_label("Retry").last.click()
    expect(talks.locator("#version")).to_have_text("turn 2: version 2 of 2 of the reply")
    done(talks)
    talks.locator("#older").click()
    expect(talks.locator("#version")).to_contain_text("version 1 of 2")
    assert bot(talks) == first
    expect(talks.locator("#older")).to_be_disabled()
    talks.get_by_label("Edit").first.click()
    talks.locator("#chat textarea").fill("What is money?")
    talks.get_by_label("Submit").click()
    expect(talks.locator("#chat [data-testid=user]")).to_have_text(["What is money?"])
    expect(talks.locator("#version")).to_have_text("turn 1: version 2 of 2 of your message")
    done(talks)
    talks.locator("#older").click()
    expect(talks.locator("#chat [data-testid=user]")).to_have_text(["What is love?"])
    wait_until_saved(talks, 5)
    (kept,) = saved(talks)
    assert [node["role"] for node in kept["nodes"]] == [
        "user",
        *["assistant"] * 2,
        "user",
        "assistant",
    ]


def test_the_versions_of_a_turn_that_was_pointed_at(talks: Page) -> None:
    talk(talks, "What is love?")
    talks.get_by_label("Retry").last.click()
    expect(talks.locator("#version")).to_contain_text("version 2 of 2")
    done(talks)
    send(talks, "And what is money?")
    done(talks, 2)
    talks.get_by_label("Retry").last.click()
    expect(talks.locator("#version")).to_have_text("turn 4: version 2 of 2 of the reply")
    done(talks, 2)
    talks.locator("#chat [data-testid=bot]").first.click()
    expect(talks.locator("#version")).to_have_text("turn 2: version 2 of 2 of the reply")
    talks.locator("#older").click()
    expect(talks.locator("#chat [data-testid=user]")).to_have_count(1)


def test_a_reply_goes_on(talks: Page) -> None:
    open_settings(talks)
    talks.locator("#max-tokens input[type=number]").fill("3")
    talk(talks, "Tell me a story")
    begun = bot(talks)[0]
    talks.locator("#more").click()
    expect(talks.locator("#version")).to_have_text("turn 2: version 2 of 2 of the reply")
    done(talks)
    assert bot(talks)[0].startswith(begun)
    assert len(bot(talks)[0]) > len(begun)


def test_a_reply_begun_by_the_person_is_finished_by_the_model(talks: Page) -> None:
    open_settings(talks)
    talks.locator("#begin textarea, #begin input").fill("Well, my grandmother")
    send(talks, "Who taught you to cook?")
    done(talks)
    assert bot(talks)[0].startswith("Well, my grandmother")
    assert len(bot(talks)[0]) > len("Well, my grandmother")
    expect(talks.locator("#begin textarea, #begin input")).to_have_value("")
    talks.get_by_text("The exact prompt").click()
    expect(talks.locator("#prompt textarea")).to_have_value(
        re.compile(r"User: Who taught you to cook\?\nGrok: Well, my grandmother$")
    )


def test_export_and_import_bring_back_the_same(talks: Page) -> None:
    talk(talks, "What is <b>love</b>? 🙂")
    talks.get_by_label("Retry").last.click()
    expect(talks.locator("#version")).to_contain_text("version 2 of 2")
    done(talks)
    wait_until_saved(talks, 3)
    text = exported(talks, "Export")
    assert json.loads(text) == saved(talks)[0]
    talks.get_by_label(re.compile("^Delete")).click()
    expect(talks.locator("#conversations li")).to_have_count(0)
    import_text(talks, text)
    expect(talks.locator("#chat [data-testid=user]")).to_have_count(1)
    assert exported(talks, "Export") == text
    import_text(talks, text)  # once more: it is there already
    assert json.loads(exported(talks, "Export all")) == {"conversations": [json.loads(text)]}
    markdown = exported(talks, "Export as Markdown")
    assert markdown.startswith(
        "# What is <b>love</b>? 🙂\n\n**You:** What is <b>love</b>? 🙂\n\n**Grok:** "
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "JSON"),
        ("[]", "no id or title"),
        ('{"id": "1", "title": "x"}', "no turns"),
        ('{"id": "1", "title": "x", "persona": null, "nodes": []}', "no name of a persona"),
        (
            '{"id": "1", "title": "x", "leaf": 0, "nodes": '
            '[{"parent": 0, "role": "user", "text": "a"}]}',
            "turn 1 follows no earlier one",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(talks: Page, text: str, problem: str) -> None:
    talk(talks, "Hello")
    import_text(talks, text, "wrong.json")
    note = talks.locator("#conversations .note")
    expect(note).to_contain_text("wrong.json holds no conversation that can be imported")
    expect(note).to_contain_text(problem)
    listed(talks, "Hello")
    import_text(talks, text, "wrong.replay.json")
    expect(note).to_contain_text("wrong.replay.json holds no conversation that can be imported")
    expect(talks.locator("#conversations .problem")).to_be_empty()
    assert talks.evaluate("document.querySelector('#conversations input[type=file]').value") == ""


def test_an_imported_conversation_that_the_server_refuses_is_explained(talks: Page) -> None:
    node = {"parent": None, "role": "assistant", "text": "a", "made": {"seed": "x"}}
    import_text(talks, json.dumps({"id": "1", "title": "x", "nodes": [node], "leaf": 0}))
    expect(talks.get_by_text("the seed of turn 1 is 'x'")).to_be_visible()


def test_two_tabs_do_not_overwrite_each_other(talks: Page, app_url: str) -> None:
    talk(talks, "Hello")
    (first,) = saved(talks)
    other = talks.context.new_page()
    open_page(other, app_url)
    open_list(other)
    press(other, "Hello")
    expect(other.locator("#chat [data-testid=user]")).to_have_count(1)
    send(other, "From the other tab")
    done(other, 2)
    send(talks, "From this tab")
    done(talks, 2)
    listed(talks, "Hello (continued in another tab)", "Hello")
    talks.wait_for_timeout(300)
    texts = {
        tuple(node["text"] for node in kept["nodes"] if node["role"] == "user")
        for kept in saved(talks, 2)
    }
    assert texts == {("Hello", "From the other tab"), ("Hello", "From this tab")}
    assert first["id"] in {kept["id"] for kept in saved(talks, 2)}


def test_a_full_store_is_reported_and_loses_nothing(talks: Page) -> None:
    talk(talks, "Hello")
    before = saved(talks)
    talks.evaluate(
        """() => { IDBObjectStore.prototype.put = () => {
            throw new DOMException("full", "QuotaExceededError"); }; }"""
    )
    send(talks, "And more")
    done(talks, 2)
    expect(talks.locator("#conversations .problem")).to_contain_text("does not keep")
    assert len(user(talks)) == 2
    assert saved(talks) == before
    assert "And more" in exported(talks, "Export")


def test_a_save_that_fails_at_its_end_is_no_other_tab(talks: Page) -> None:
    talk(talks, "Hello")
    talks.evaluate(
        """() => { const put = IDBObjectStore.prototype.put; window.mend = () => {
            IDBObjectStore.prototype.put = put; };
            IDBObjectStore.prototype.put = function (value) {
                const request = put.call(this, value);
                request.onsuccess = () => this.transaction.abort();
                return new Proxy(request, { set: () => true }); }; }"""
    )
    send(talks, "And more")
    done(talks, 2)
    talks.evaluate("window.mend()")
    send(talks, "And still more")
    done(talks, 3)
    listed(talks, "Hello")


def test_a_title_given_in_another_tab_stays(talks: Page, app_url: str) -> None:
    talk(talks, "Hello")
    other = talks.context.new_page()
    open_page(other, app_url)
    open_list(other)
    other.get_by_label("Rename: Hello").click()
    box = other.get_by_label("New title")
    box.fill("Greetings")
    box.press("Enter")
    listed(talks, "Greetings")
    send(talks, "And more")
    done(talks, 2)
    talks.wait_for_timeout(500)
    listed(talks, "Greetings")


def test_what_a_file_brings_is_no_html_in_a_warning(talks: Page) -> None:
    asked: list[str] = []
    talks.on("request", lambda request: asked.append(request.url))
    made = {"seed": "<img src='/no.png'><b>bold</b>"}
    node = {"parent": None, "role": "assistant", "text": "a", "made": made}
    import_text(talks, json.dumps({"id": "1", "title": "x", "nodes": [node], "leaf": 0}))
    expect(talks.get_by_text("<b>bold</b>")).to_be_visible()
    talks.wait_for_timeout(300)
    assert not any("no.png" in url for url in asked)


def test_a_browser_without_a_store_can_chat(new_page: Page, app_url: str) -> None:
    new_page.add_init_script(
        """IDBFactory.prototype.open = () => { throw new DOMException("no", "SecurityError"); };"""
    )
    open_page(new_page, app_url)
    send(new_page, "Hello")
    done(new_page)
    open_list(new_page)
    expect(new_page.locator("#conversations .problem")).to_contain_text("does not keep")


def test_two_hundred_long_conversations_stay_quick(talks: Page) -> None:
    talks.evaluate(
        """async () => {
        const open = indexedDB.open("grok-1-in-the-browser");
        const database = await new Promise(done => { open.onsuccess = () => done(open.result); });
        const transaction = database.transaction(["conversations", "summaries"], "readwrite");
        for (let i = 0; i < 200; i++) {
            const nodes = Array.from({length: 100}, (_, k) => ({
                parent: k ? k - 1 : null, role: k % 2 ? "assistant" : "user",
                text: `turn ${k} of ${i}: ` + "some words that were said here ".repeat(6)}));
            const talk = {id: `id${i}`, title: `Talk ${i}`, persona: "grok", nodes, leaf: 99};
            const words = nodes.map(node => node.text).join(" ");
            transaction.objectStore("conversations").put(
                {id: talk.id, revision: "", text: JSON.stringify(talk), words});
            transaction.objectStore("summaries").put({id: talk.id, title: talk.title, updated: i});
        }
        await new Promise(done => { transaction.oncomplete = done; });
    }"""
    )
    talks.reload()
    open_list(talks)
    expect(talks.locator("#conversations li")).to_have_count(200)
    talks.locator("#conversations input[type=search]").fill("turn 7 of 123:")
    listed(talks, "Talk 123")
    press(talks, "Talk 123")
    expect(talks.locator("#chat [data-testid=user]")).to_have_count(50)
    send(talks, "Hello")
    done(talks, 51)


def test_a_file_written_otherwise_is_one_conversation(talks: Page) -> None:
    question = {"text": "Who \ud83d is it?", "role": "user", "parent": None, "said": "today"}
    reply = {"text": "It is I.", "role": "assistant", "parent": 0, "made": None}
    file = {"nodes": [question, reply], "leaf": 1, "title": "By hand", "id": "x"}
    import_text(talks, json.dumps(file))
    expect(talks.locator("#chat [data-testid=bot]")).to_have_text("It is I.")
    talks.wait_for_timeout(500)
    listed(talks, "By hand")


@pytest.mark.parametrize("way", ["Continue", "Alt+r"])
def test_a_message_that_has_no_reply_is_answered(talks: Page, way: str) -> None:
    file = {"nodes": [{"parent": None, "role": "user", "text": "What is love?"}], "leaf": 0}
    import_text(talks, json.dumps(file | {"title": "Love", "id": "x"}))
    expect(talks.locator("#more")).to_be_visible()
    if way == "Continue":
        talks.locator("#more").click()
    else:
        talks.keyboard.press(way)
    done(talks)
    assert user(talks) == ["What is love?"]
    assert len(bot(talks)) == 1


def test_a_reply_without_a_word_is_told(talks: Page) -> None:
    open_settings(talks)
    talks.locator("#stop-strings textarea").fill(" ")  # so does whatever comes
    send(talks, "What is love?")
    expect(talks.locator("#status")).to_contain_text("before the first word")
    expect(talks.locator("#chat [data-testid=bot]")).to_have_count(0)
    expect(talks.locator("#more")).to_be_visible()


def test_a_new_chat_is_still_new_after_a_reload(talks: Page) -> None:
    talk(talks, "What is love?")
    press(talks, "New chat")
    expect(talks.locator("#chat [data-testid=user]")).to_have_count(0)
    talks.reload()
    open_list(talks)
    listed(talks, "What is love?")
    talks.wait_for_timeout(500)
    assert not user(talks)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_list_fits_a_phone(page: Page, app_url: str, theme: str) -> None:
    page.set_viewport_size(PHONE)
    open_page(page, app_url, theme)
    send(page, "Hello")
    done(page)
    open_list(page)
    listed(page, "Hello")
    page.wait_for_timeout(600)  # it slides in
    box = page.locator("#conversations").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]

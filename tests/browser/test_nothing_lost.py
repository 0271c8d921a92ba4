"""Whatever happens to the page or the connection, nothing that was written or read is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.app_process import AppProcess
from tests.browser.cuts import Proxy
from tests.browser.test_chat_page import (
    SECONDS,
    bot,
    done,
    open_page,
    open_settings,
    send,
    set_slider,
    stored,
    user,
)
from tests.browser.test_notebook import engine_is_idle, settings
from tests.browser.test_personas import copy, open_editor, write_on, written_on

WORDS = re.compile(r"\w+\W+\w")
LEFT = "since no page had asked for it"
RESTART = 60_000  # milliseconds in which the app is killed, started, and asked again
STORY = "It was a dark night, and the captain"
EDITED = f"{STORY} of the ship"


@pytest.fixture(scope="module")
def impatient_url(
    slowly: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where the slow app serves that ends a reply after five seconds without a reader."""
    with AppProcess(tmp_path_factory.mktemp("app") / "log", *slowly, "--linger", "5") as app:
        app.wait_until_ready()
        yield app.url


@pytest.fixture
def talking(page: Page, slow_url: str) -> Page:
    """A page on which a long reply has begun."""
    open_page(page, slow_url)
    begin(page)
    return page


def begin(page: Page) -> None:
    """The raw persona, which no label ends, goes on with a story for as long as can be."""
    choose(page, "Raw")
    open_settings(page)
    set_slider(page, "max-tokens", 1000)
    send(page, STORY)
    expect(replies(page)).to_have_count(1)
    grown(page)


def choose(page: Page, persona: str, box: str = "#persona") -> None:
    page.locator(f"{box} input").click()
    page.get_by_role("option", name=re.compile(persona)).click()
    expect(page.get_by_test_id("dropdown-option")).to_have_count(0)


def replies(page: Page):
    return page.locator("#chat [data-testid=bot]")


def grown(page: Page, text: str = "", seconds: float = 60) -> str:
    """Waits until the last reply goes on from `text`; returns what there is then."""
    for _ in range(round(10 * seconds)):
        now = words(bot(page)[-1]) if bot(page) else ""
        goes_on = now.startswith(text) or text.startswith(now)  # the second: of what was stored
        assert goes_on, f"{now!r} does not go on from {text!r}"
        if len(now) > len(text) + 8:
            return now
        page.wait_for_timeout(100)
    raise AssertionError(f"{now!r} did not go on from {text!r} in {seconds} s")


def words(text: str) -> str:
    """A text without the breaks that only a page's width makes."""
    return " ".join(text.split())


def mark(page: Page) -> None:
    """Leaves a mark in the page that goes when it is loaded anew."""
    page.evaluate("window.mark = 1")


def is_marked(page: Page) -> bool:
    return bool(page.evaluate("window.mark === 1"))


def stop(page: Page) -> None:
    page.locator("#message button.stop-button").click()
    expect(page.locator("#message button.stop-button")).to_have_count(0)


def test_a_reply_goes_on_after_a_reload(talking: Page) -> None:
    before = grown(talking)
    talking.reload()
    after = grown(talking, before)
    assert user(talking) == [STORY]
    assert grown(talking, after).startswith(before)
    stop(talking)


def test_a_connection_that_is_cut_is_taken_up_again(page: Page, slow_url: str) -> None:
    with Proxy(slow_url) as proxy:
        open_page(page, proxy.url)
        mark(page)
        begin(page)
        before = grown(page)
        proxy.cut()
        expect(page.locator("#replies .connection")).to_contain_text("cannot be reached")
        assert words(bot(page)[-1]).startswith(before)
        proxy.mend()
        grown(page, before)
        expect(page.locator("#replies .connection")).to_be_empty()
        assert is_marked(page)
        stop(page)


def test_a_message_that_is_sent_while_the_connection_is_cut_arrives(
    page: Page, app_url: str
) -> None:
    with Proxy(app_url) as proxy:
        open_page(page, proxy.url)
        mark(page)
        proxy.cut()
        send(page, "Hello")
        expect(page.locator("#replies .connection")).to_contain_text("cannot be reached")
        proxy.mend()
        expect(replies(page)).to_have_count(1)
        expect(page.locator("#message button.stop-button")).to_have_count(0)
        assert user(page) == ["Hello"]
        assert is_marked(page)


def test_another_tab_sees_the_whole_reply_grow(talking: Page) -> None:
    before = grown(talking)
    other = talking.context.new_page()
    open_page_again(other, talking.url)
    other.locator("#talks .toggle-button").click()
    other.locator("#conversations li .open").first.click()
    after = grown(other, before)
    grown(talking, after)
    stop(other)
    expect(talking.locator("#message button.stop-button")).to_have_count(0)
    expect(replies(talking).last).to_have_text(replies(other).last.text_content() or "")


def open_page_again(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("#message textarea")
    page.wait_for_selector("#conversations li .open", state="attached")


def test_a_reply_goes_on_while_another_conversation_is_open(talking: Page) -> None:
    before = grown(talking)
    talking.locator("#new").click()
    expect(replies(talking)).to_have_count(0)
    expect(talking.locator("#message button.submit-button")).to_be_visible()
    talking.locator("#talks .toggle-button").click()
    talking.locator("#conversations li .open").first.click()
    grown(talking, before)
    stop(talking)


def test_a_retry_that_brings_no_word_leaves_all_as_it_was(talking: Page, slow_url: str) -> None:
    stop(talking)
    shown, (before,) = bot(talking), stored(talking)
    with every_slot_taken(slow_url):
        for act in ("retry", "more", "edit"):
            ask_again(talking, act)
            expect(talking.locator("#status")).to_contain_text("number 1 in the queue")
            stop(talking)
            expect(talking.locator("#status")).to_contain_text("stopped before the first word")
            done(talking)
            assert (user(talking), bot(talking)) == ([STORY], shown)
            (after,) = stored(talking)
            # What was written is kept, as a version of the message that is not open.
            added = [EDITED] if act == "edit" else []
            assert [node["text"] for node in after["nodes"][2:]] == added
            assert after | {"nodes": after["nodes"][:2]} == before


@contextmanager
def every_slot_taken(url: str) -> Iterator[None]:
    """Others read long replies, so that one asked for now waits for its first word."""
    wish = {"model": "endless", "prompt": STORY, "max_tokens": 900, "stream": True}
    with ExitStack() as others:
        client = others.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=60))
        answers = [
            others.enter_context(client.stream("POST", "/v1/completions", json=wish))
            for _ in range(2)
        ]
        reading = [answer.raise_for_status().iter_bytes() for answer in answers]
        for answer in reading:  # kept until the end: httpx hangs up on one that is let go
            next(answer)
        yield


def ask_again(page: Page, act: str) -> None:
    buttons = page.locator("#chat .message-buttons")
    if act == "retry":
        buttons.last.locator("button").nth(1).click()
    elif act == "more":
        page.get_by_role("button", name="Continue").click()
    else:
        page.get_by_label("Edit").first.click()
        page.locator("#chat textarea").fill(EDITED)
        page.get_by_label("Submit").click()


def test_what_was_written_survives_a_server_that_is_killed(page: Page, slow: AppProcess) -> None:
    open_editor(page, slow.url)
    copy(page)
    write_on(page)
    page.get_by_role("tab", name="Chat").click()
    mark(page)
    begin(page)
    before = grown(page)
    slow.restart()
    expect(page.locator("#status")).to_contain_text("no longer has this reply", timeout=RESTART)
    expect(page.locator("#message button.stop-button")).to_have_count(0)
    after = words(bot(page)[-1])
    assert after.startswith(before)
    assert is_marked(page)
    page.fill("#message textarea", "A draft")
    page.wait_for_timeout(300)
    page.reload()
    expect(replies(page)).to_have_count(1)
    assert words(bot(page)[-1]) == after
    expect(page.locator("#message textarea")).to_have_value("A draft")
    page.locator("#persona input").click()
    expect(page.get_by_role("option", name="Copy of Grok")).to_be_attached()
    page.keyboard.press("Escape")
    page.locator("#more").click()
    grown(page, after)
    stop(page)
    page.get_by_role("tab", name="Personas").click()
    written_on(page)


def test_an_empty_message_ends_no_reply(talking: Page) -> None:
    before = grown(talking)
    talking.press("#message textarea", "Enter")
    expect(talking.locator("#notice .notice")).to_contain_text("Write a message first")
    grown(talking, before)
    expect(talking.locator("#message button.stop-button")).to_be_visible()
    stop(talking)


def test_what_is_written_while_the_server_is_away_stays(page: Page, app_url: str) -> None:
    with Proxy(app_url) as proxy:
        open_page(page, proxy.url)
        proxy.cut()
        send(page, "Hello")
        expect(page.locator("#replies .connection")).to_contain_text("cannot be reached")
        page.fill("#message textarea", "Something else")
        proxy.mend()
        done(page)
        assert user(page) == ["Hello"]
        expect(page.locator("#message textarea")).to_have_value("Something else")


def test_what_another_tab_has_deleted_stays_deleted(talking: Page) -> None:
    other = talking.context.new_page()
    open_page_again(other, talking.url)
    other.locator("#talks .toggle-button").click()
    other.get_by_role("button", name=re.compile("^Delete: ")).click()
    expect(other.locator("#conversations li .open")).to_have_count(0)
    expect(talking.locator("#message button.stop-button")).to_have_count(0)
    talking.wait_for_timeout(1000)
    assert stored(talking) == []


def test_a_tab_leaves_anothers_notebook_alone(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    page.get_by_role("tab", name="Notebook").click()
    area = page.locator("#notebook textarea")
    area.fill(STORY)
    page.locator("#notebook .go").click()
    more = re.compile(re.escape(STORY) + r".*\w+\W+\w")
    expect(area).to_have_value(more, timeout=60 * SECONDS)
    other = page.context.new_page()
    open_page(other, slow_url)
    other.get_by_role("tab", name="Notebook").click()
    other.locator("#notebook textarea").fill("Another text")
    before = area.input_value()
    longer = re.compile(re.escape(before) + r".+", re.DOTALL)
    expect(area).to_have_value(longer, timeout=60 * SECONDS)
    page.locator("#notebook .go").click()


def test_drafts_and_settings_survive_a_reload(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    choose(page, "Cynic")
    page.fill("#message textarea", "Half a thought")
    open_settings(page)
    page.locator("#begin textarea, #begin input").fill("Well,")
    page.locator("#seed textarea, #seed input").fill("77")
    expect(page.locator("#temperature input[type=number]")).to_have_value("0.5")  # the Cynic's
    set_slider(page, "temperature", 1.25)
    page.locator("#facts").get_by_role("button").first.click()
    page.locator("#facts-text textarea").fill("The captain is called Ann.")
    page.wait_for_timeout(300)
    page.reload()
    expect(page.locator("#message textarea")).to_have_value("Half a thought")
    expect(page.locator("#persona input")).to_have_value(re.compile("Cynic"))
    open_settings(page)
    expect(page.locator("#begin textarea, #begin input")).to_have_value("Well,")
    expect(page.locator("#seed textarea, #seed input")).to_have_value("77")
    expect(page.locator("#temperature input[type=number]")).to_have_value("1.25")
    page.locator("#facts").get_by_role("button").first.click()
    expect(page.locator("#facts-text textarea")).to_have_value("The captain is called Ann.")


def test_a_changed_setting_survives_in_whatever_order_the_page_comes(
    page: Page, app_url: str
) -> None:
    open_page(page, app_url)
    choose(page, "Cynic")
    send(page, "Hello")
    done(page)
    open_settings(page)
    set_slider(page, "temperature", 1.25)
    page.wait_for_timeout(300)
    drafts, events = Held(page, "**/js/drafts.js"), Held(page, "**/gradio_api/run/**")
    page.reload(wait_until="commit")
    page.wait_for_selector("#message textarea")
    page.wait_for_timeout(1500)  # in which the conversation is asked for, if that waits for nothing
    drafts.let_through()
    page.wait_for_timeout(1500)
    events.let_through()
    expect(replies(page)).to_have_count(1)
    expect(page.locator("#persona input")).to_have_value(re.compile("Cynic"))
    open_settings(page)
    expect(page.locator("#temperature input[type=number]")).to_have_value("1.25")


class Held:
    """Requests of a page that do not go out until they are let through."""

    def __init__(self, page: Page, url: str) -> None:
        self._waiting: list[Route] | None = []
        page.route(url, self._take)

    def _take(self, route: Route) -> None:
        if self._waiting is None:
            route.continue_()
        else:
            self._waiting.append(route)

    def let_through(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for route in waiting:
            route.continue_()


def test_twenty_tabs_are_all_answered_and_hold_no_connection(
    context: BrowserContext, app_url: str
) -> None:
    with Proxy(app_url) as proxy:
        tabs = [context.new_page() for _ in range(20)]
        for tab in tabs:
            open_page(tab, proxy.url)
        for number, tab in enumerate(tabs):
            send(tab, f"Hello from tab {number}")
        for tab in tabs:
            expect(replies(tab)).to_have_count(1, timeout=60 * SECONDS)
            expect(tab.locator("#message button.stop-button")).to_have_count(
                0, timeout=60 * SECONDS
            )
            assert bot(tab)[0].strip()
        tabs[0].wait_for_timeout(12_000)  # what is kept alive is let go after five seconds
        assert proxy.open == 0


def test_the_notebook_goes_on_after_a_reload(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    page.get_by_role("tab", name="Notebook").click()
    area = page.locator("#notebook textarea")
    area.fill(STORY)
    page.locator("#notebook .go").click()
    more = re.compile(re.escape(STORY) + r".*\w+\W+\w")
    expect(area).to_have_value(more, timeout=60 * SECONDS)
    page.wait_for_timeout(600)
    before = area.input_value()
    page.reload()
    page.get_by_role("tab", name="Notebook").click()
    expect(area).to_have_value(re.compile(re.escape(before[:-20]) + r".*"), timeout=60 * SECONDS)
    longer = re.compile(re.escape(before) + r".+", re.DOTALL)
    expect(area).to_have_value(longer, timeout=60 * SECONDS)
    page.locator("#notebook .go").click()


def test_what_is_compared_goes_on_after_a_reload(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    page.get_by_role("tab", name="Compare").click()
    page.fill("#compare-message textarea", STORY)
    page.press("#compare-message textarea", "Enter")
    column = page.locator(".compared:visible .compared-reply").first
    expect(column).to_have_text(re.compile(r"\w+\W+\w"), timeout=60 * SECONDS)
    before = column.inner_text().strip()
    page.reload()
    page.get_by_role("tab", name="Compare").click()
    goes_on = re.compile(r"^\s*" + re.escape(before) + r".*\w", re.DOTALL)
    expect(column).to_have_text(goes_on, timeout=60 * SECONDS)


def test_who_comes_back_too_late_has_what_there_was_and_hears_why(
    page: Page, impatient_url: str
) -> None:
    open_page(page, impatient_url)
    begin(page)
    page.get_by_role("tab", name="Notebook").click()
    settings(page, 1000)
    area = page.locator("#notebook textarea")
    area.fill(STORY)
    page.locator("#notebook .go").click()
    more = re.compile(re.escape(STORY) + r".*\w+\W+\w")
    expect(area).to_have_value(more, timeout=60 * SECONDS)
    page.get_by_role("tab", name="Chat").click()
    before, text = grown(page), area.input_value()
    page.goto("about:blank")
    engine_is_idle(page, impatient_url)
    open_page_again(page, impatient_url)
    expect(page.locator("#status")).to_contain_text(f"ended, {LEFT}")
    done(page)
    assert words(bot(page)[-1]).startswith(before)
    asked, reply = stored(page)[0]["nodes"]
    assert (asked["text"], words(reply["text"])) == (STORY, words(bot(page)[-1]))
    assert "reply" not in reply  # it is no longer being made
    page.get_by_role("tab", name="Notebook").click()
    expect(page.locator("#notebook .status")).to_contain_text(f"ended, {LEFT}")
    expect(area).to_have_value(re.compile(re.escape(text) + ".*", re.DOTALL))


def test_of_a_tab_that_was_closed_the_columns_are_kept_and_say_why(
    page: Page, impatient_url: str
) -> None:
    tab = page.context.new_page()
    open_page(tab, impatient_url)
    before = compare(tab)
    tab.close()
    engine_is_idle(page, impatient_url)
    open_page(page, impatient_url)
    page.get_by_role("tab", name="Compare").click()
    for number in range(2):
        expect(page.locator(".compared-status").nth(number)).to_contain_text(f"ended, {LEFT}")
    assert words(columns(page).first.inner_text()).startswith(before)


def test_who_comes_back_too_late_for_a_place_in_the_queue_hears_why(
    page: Page, impatient_url: str
) -> None:
    with every_slot_taken(impatient_url):
        open_page(page, impatient_url)
        send(page, STORY)
        expect(page.locator("#status")).to_contain_text("number 1 in the queue")
        page.goto("about:blank")
        page.wait_for_timeout(8_000)
    open_page_again(page, impatient_url)
    expect(page.locator("#status")).to_contain_text(f"ended before the first word, {LEFT}")
    assert (user(page), bot(page)) == ([STORY], [])
    expect(page.locator("#more")).to_be_visible()


def compare(page: Page) -> str:
    """Has two columns answer at length; returns what the first one has when it has begun."""
    page.get_by_role("tab", name="Compare").click()
    for number in (1, 2):
        choose(page, "Raw", f"#compare-{number}-persona")
    page.fill("#compare-message textarea", STORY)
    page.press("#compare-message textarea", "Enter")
    for number in range(2):
        expect(columns(page).nth(number)).to_have_text(WORDS, timeout=60 * SECONDS)
    return words(columns(page).first.inner_text())


def columns(page: Page):
    return page.locator(".compared:visible .compared-reply")

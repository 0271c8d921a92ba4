"""Replies side by side in a real browser, made by the real model."""

import re

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser.test_chat_page import (
    DESK,
    PHONE,
    bot,
    done,
    open_page,
    send,
    user,
    wait_until_saved,
)

WORDS = re.compile(r"\w+ \w+")


@pytest.fixture
def compare(page: Page, app_url: str) -> Page:
    page.set_viewport_size(DESK)
    open_page(page, app_url)
    return open_tab(page)


def open_tab(page: Page, many: int = 2) -> Page:
    page.get_by_role("tab", name="Compare").click()
    page.locator("#many").get_by_label(str(many)).check()
    expect(columns(page)).to_have_count(many)
    return page


def columns(page: Page) -> Locator:
    return page.locator(".compared:visible")


def ask(page: Page, text: str) -> None:
    page.fill("#compare-message textarea", text)
    page.press("#compare-message textarea", "Enter")


def answered(page: Page) -> list[str]:
    """The replies, once all are complete."""
    for keep in page.get_by_role("button", name="Keep this one").all():
        expect(keep).to_be_enabled()
    expect(page.locator("#compare-message button.submit-button")).to_be_visible()
    return [c.locator(".compared-reply").first.inner_text() for c in columns(page).all()]


def set_column(page: Page, number: int, persona: str, **settings: str) -> None:
    column = columns(page).nth(number)
    column.get_by_label("Persona").click()
    page.get_by_role("option", name=persona).click()
    expect(page.get_by_test_id("dropdown-option")).to_have_count(0)  # it fades out
    column.get_by_role("button", name="Settings").click()
    page.wait_for_timeout(700)  # the persona brings its settings, which a hand never overtakes
    for label, value in settings.items():
        box = column.get_by_label(label)
        expect(box.first).to_be_visible()
        box.first.fill(value)
        box.first.press("Tab")


def test_four_columns_answer_one_message(compare: Page) -> None:
    open_tab(compare, 4)
    ask(compare, "Tell me a story about a captain.")
    replies = answered(compare)
    assert len(replies) == 4
    assert all(reply.strip() for reply in replies)


def test_the_same_seed_and_settings_give_the_same_reply_in_a_batch(compare: Page) -> None:
    for number in range(2):
        set_column(compare, number, "Storyteller", Seed="7")
    ask(compare, "Tell me a story about a captain.")
    one, other = answered(compare)
    assert one == other


def test_the_kept_reply_is_the_conversations_and_another_its_version(compare: Page) -> None:
    compare.get_by_role("tab", name="Chat").click()
    send(compare, "Hello")
    done(compare)
    open_tab(compare)
    ask(compare, "What is love?")
    one, other = answered(compare)
    compare.get_by_role("button", name="Keep this one").first.click()
    done(compare, 2)
    assert user(compare) == ["Hello", "What is love?"]
    assert bot(compare)[1].strip() == one.strip()
    open_tab(compare)
    compare.get_by_role("button", name="Keep this one").nth(1).click()
    expect(compare.locator("#version")).to_contain_text("version 2 of 2")
    assert bot(compare)[1].strip() == other.strip()
    wait_until_saved(compare, 5)
    compare.reload()
    done(compare, 2)
    assert user(compare) == ["Hello", "What is love?"]
    assert bot(compare)[1].strip() == other.strip()


def test_stop_keeps_what_there_is(page: Page, slow_url: str) -> None:
    page.set_viewport_size(DESK)
    open_page(page, slow_url)
    open_tab(page)
    for number in range(2):
        set_column(page, number, "Raw completion", Seed="0")
    ask(page, "It was a dark night, and the captain")
    for column in columns(page).all():
        expect(column.locator(".compared-reply").first).to_contain_text(WORDS)
    page.locator("#compare-message button.stop-button").click()
    before = answered(page)
    page.wait_for_timeout(500)
    assert answered(page) == before


def test_what_cannot_be_answered_is_said(compare: Page) -> None:
    ask(compare, "   ")
    expect(compare.get_by_text("Write a message first.")).to_be_visible()
    set_column(compare, 1, "Cynic", Seed="seven")
    ask(compare, "Hello")
    expect(compare.get_by_text("The seed is 'seven'")).to_be_visible()
    expect(compare.locator("#compare-message textarea")).to_have_value("Hello")


def test_another_conversation_is_left_alone(compare: Page) -> None:
    compare.get_by_role("tab", name="Chat").click()
    send(compare, "Hello")
    done(compare)
    open_tab(compare)
    ask(compare, "What is love?")
    answered(compare)
    compare.get_by_role("tab", name="Chat").click()
    compare.locator("#new").click()
    expect(compare.locator("#chat .example").first).to_be_visible()
    open_tab(compare)
    compare.get_by_role("button", name="Keep this one").first.click()
    expect(compare.get_by_text("than the one these replies belong to")).to_be_visible()
    compare.get_by_role("tab", name="Chat").click()
    assert not user(compare)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_it_fits_the_screen(page: Page, app_url: str, size: ViewportSize, theme: str) -> None:
    page.set_viewport_size(size)
    open_page(page, app_url, theme)
    open_tab(page, 4)
    ask(page, "a_very_long_word_" * 20)
    answered(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    boxes = [column.bounding_box() for column in columns(page).all()]
    tops = {round(box["y"]) for box in boxes if box}
    assert len(tops) == (4 if size == PHONE else 1)

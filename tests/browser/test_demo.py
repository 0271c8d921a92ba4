"""A demo in real browsers."""

import re
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.app_process import AppProcess
from tests.browser.test_accessibility import grave
from tests.browser.test_chat_page import (
    DESK,
    PHONE,
    bot,
    done,
    open_page,
    open_settings,
    send,
    user,
)

Visit = Callable[..., Page]
UNSEEN = "\u2060"  # stands where the page's Markdown could see a tag
TEXTS = {
    "markup": "<b>bold</b> <img src=x onerror='window.harmed=1'>"
    " ![x](/no.png) [a](javascript:alert(1))",
    "script": "<script>window.harmed = 1</script><iframe srcdoc='<script>top.harmed=1</script>'>",
    "long word": "W" * 300,
    "right to left": "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd, and English",
    "emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308",
}
addresses = (f"198.51.100.{number}" for number in count(1))


@pytest.fixture
def visit(browser: Browser, demo: AppProcess) -> Iterator[Visit]:
    """Opens the demo as a visitor of its own each time."""
    contexts = []

    def opened(size: ViewportSize = DESK, theme: str = "light", locale: str = "en-GB") -> Page:
        headers = {"X-Forwarded-For": next(addresses)}
        contexts.append(
            browser.new_context(extra_http_headers=headers, viewport=size, locale=locale)
        )
        page = contexts[-1].new_page()
        open_page(page, demo.url, theme)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_it_says_what_it_is(visit: Visit, size: ViewportSize, theme: str) -> None:
    page = visit(size, theme)
    expect(page.locator("#demo")).to_be_in_viewport()
    expect(page.locator("#demo")).to_contain_text("A public demo")
    expect(page.locator("#message textarea")).to_be_in_viewport()
    assert not grave(page)
    german = visit(size, theme, "de-DE")
    expect(german.locator("#demo")).to_contain_text("Eine öffentliche Demo")


def test_a_plain_app_says_nothing_of_a_demo(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    expect(page.locator("#demo")).to_have_count(0)


def test_two_at_once_see_nothing_of_one_another(visit: Visit) -> None:
    said = {"heron lantern": visit(), "walnut harbour": visit()}
    for text, page in said.items():
        send(page, text)
    for text, page in said.items():
        done(page)
        assert user(page) == [text]
    for text, page in said.items():
        (other,) = said.keys() - {text}
        page.get_by_text("The exact prompt").click()
        expect(page.locator("#prompt textarea")).to_have_value(re.compile(text))
        everything = page.content() + page.locator("#prompt textarea").input_value()
        assert other not in everything
        page.reload()
        expect(page.locator("#message textarea")).to_be_visible()
        assert other not in page.content()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text_is_just_text_in_both_directions(visit: Visit, text: str) -> None:
    page = visit(PHONE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    open_settings(page)
    page.fill("#begin textarea, #begin input", text)
    page.locator("#settings .toggle-button").click()
    send(page, text)
    done(page)
    for shown in (user(page)[0], bot(page)[0]):
        assert text.split("![")[0].strip() in shown.replace(UNSEEN, "")
    assert page.evaluate("window.harmed === undefined")
    assert not page.locator("#chat").locator("script, iframe, .message img").count()
    assert not page.locator("#chat a[href^=javascript]").count()
    assert not any("no.png" in url for url in asked)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_one_message_too_many_is_given_back(visit: Visit) -> None:
    page = visit()
    for number in range(1, 4):
        send(page, "Hello")
        done(page, number)
    send(page, "And another")
    expect(page.get_by_text("3 messages a minute")).to_be_visible()
    expect(page.locator("#message textarea")).to_have_value("And another")
    assert user(page) == ["Hello"] * 3


def test_the_longest_reply_is_the_demos(visit: Visit) -> None:
    page = visit()
    open_settings(page)
    assert page.locator("#max-tokens input[type=range]").get_attribute("max") == "24"
    expect(page.locator("#max-tokens input[type=number]")).to_have_value("24")

"""axe-core, the rules of WCAG in a browser, finds nothing serious; and the keyboard suffices."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.test_chat_page import (
    DESK,
    PHONE,
    choose_persona,
    done,
    open_page,
    send,
    set_slider,
    user,
)

GRAVE = ("serious", "critical")
TABS = ("Chat", "Compare", "Notebook", "Personas")


def grave(page: Page) -> list[str]:
    """What is wrong, a line each, once nothing moves or fades any more."""
    page.wait_for_function(
        """() => document.getAnimations().every(each => each.playState !== "running"
            || each.effect?.getComputedTiming().endTime === Infinity)"""
    )
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("tab", TABS)
def test_no_tab_has_a_serious_violation(
    page: Page, app_url: str, tab: str, size: ViewportSize, theme: str
) -> None:
    page.set_viewport_size(size)
    open_page(page, app_url, theme)
    page.get_by_role("tab", name=tab).click()
    page.wait_for_timeout(500)
    assert not grave(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_conversation_with_both_sidebars_has_none(page: Page, app_url: str, theme: str) -> None:
    page.set_viewport_size(DESK)
    open_page(page, app_url, theme)
    send(page, "Hello")
    done(page)
    page.get_by_role("button", name="Watch the experts").click()
    for sidebar in ("#talks", "#settings"):
        page.locator(f"{sidebar} .toggle-button").click()
    page.wait_for_timeout(1000)
    assert not grave(page)


def test_the_keys_do_what_their_list_says(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.locator("#chat").click()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    expect(dialog.locator("dt")).to_have_count(12)
    assert not grave(page)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    choose_persona(page, "Raw completion")  # which hardly ever ends by itself
    page.keyboard.press("Alt+s")
    set_slider(page, "max-tokens", 4)  # so that there is more to say
    page.locator("#max-tokens input[type=number]").blur()
    page.keyboard.press("/")
    expect(page.locator("#message textarea")).to_be_focused()
    page.keyboard.type("Hello /?")
    page.keyboard.press("Enter")
    done(page)
    assert user(page) == ["Hello /?"]
    page.keyboard.press("Alt+r")
    expect(page.locator("#version")).to_contain_text("version 2 of 2")
    done(page)
    page.keyboard.press("Alt+,")
    expect(page.locator("#version")).to_contain_text("version 1 of 2")
    page.keyboard.press("Alt+.")
    expect(page.locator("#version")).to_contain_text("version 2 of 2")
    page.keyboard.press("Alt+c")
    expect(page.locator("#version")).to_contain_text("version 3 of 3")
    done(page)
    page.keyboard.press("Alt+l")
    expect(page.locator("#conversations li")).to_have_count(1)
    page.keyboard.press("Alt+n")
    expect(page.locator("#chat .example").first).to_be_visible()
    assert not user(page)


@pytest.mark.parametrize("how", ["{key: 'Dead'}", "{key: 'n', isComposing: true}"])
def test_a_key_that_writes_an_accent_writes_it(page: Page, app_url: str, how: str) -> None:
    open_page(page, app_url)
    send(page, "Hello")
    done(page)
    allowed = page.locator("#message textarea").evaluate(
        f"""box => box.dispatchEvent(new KeyboardEvent("keydown", {{
            code: "KeyN", altKey: true, bubbles: true, cancelable: true, ...{how}}}))"""
    )
    assert allowed  # as Option+N, the beginning of a letter like \u00f1, on a Mac
    page.wait_for_timeout(500)
    assert user(page) == ["Hello"]


def test_escape_stops_a_reply_and_leaves_an_edit(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    choose_persona(page, "Raw completion")
    send(page, "It was a dark night, and the captain")
    expect(page.locator("#chat [data-testid=bot]")).to_contain_text(re.compile(r"\w+ \w+"))
    page.keyboard.press("Escape")
    done(page)
    page.get_by_label("Edit").first.click()
    page.locator("#chat textarea").press("Escape")
    expect(page.locator("#chat textarea")).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "fresh", "model", "gauges"),
    [
        ("de-DE", "Neues Gespräch", "27 Millionen Parameter, 8,", r"Kontext.* \d,\d\d s"),
        ("en-GB", "New chat", "27 million parameters, 8.", r"context.* \d\.\d\d s"),
    ],
)
def test_the_page_is_in_the_browsers_language(
    browser: Browser, app_url: str, locale: str, fresh: str, model: str, gauges: str
) -> None:
    context = browser.new_context(locale=locale)
    page = context.new_page()
    open_page(page, app_url)
    expect(page.locator("#new")).to_have_text(fresh)
    expect(page.locator("#conversations .fresh")).to_have_text(fresh)
    expect(page.locator("#about")).to_contain_text(model)
    assert page.evaluate("document.documentElement.lang") == locale[:2]
    send(page, "Hello")
    done(page)
    expect(page.locator("#status")).to_contain_text(re.compile(gauges))
    assert not grave(page)
    context.close()

"""Watching the experts in a real browser, while the real model speaks."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_chat_page import (
    DESK,
    PHONE,
    choose_persona,
    done,
    open_page,
    send,
    wait_until_saved,
)

LAYERS, EXPERTS = 6, 8


@pytest.fixture
def experts(page: Page, app_url: str) -> Page:
    page.set_viewport_size(DESK)
    open_page(page, app_url)
    open_panel(page)
    return page


def open_panel(page: Page) -> None:
    page.get_by_role("button", name="Watch the experts").click()
    expect(page.locator("#experts .map td")).to_have_count(LAYERS * EXPERTS)


def tokens(page: Page) -> list[str]:
    return page.locator("#experts [role=option]").all_text_contents()


def export(page: Page, kind: str) -> Path:
    with page.expect_download() as download:
        page.locator(f"#experts .{kind}").click()
    assert download.value.suggested_filename == f"experts.{kind}"
    return download.value.path()


def counted(page: Page) -> list[dict[str, str]]:
    return list(csv.DictReader(export(page, "csv").read_text("utf-8").splitlines()))


def test_before_any_reply_there_is_an_explanation(experts: Page) -> None:
    expect(experts.locator("#experts .explained")).to_contain_text("2 of its 8 experts")
    expect(experts.locator("#experts .reply-title")).to_have_text(
        "No reply has been made here yet."
    )
    expect(experts.locator("#experts .csv")).to_be_disabled()
    assert set(experts.locator("#experts .map td").all_inner_texts()) == {""}


def test_the_map_grows_while_a_reply_streams(page: Page, slow_url: str) -> None:
    page.set_viewport_size(DESK)
    open_page(page, slow_url)
    open_panel(page)
    choose_persona(page, "Raw completion")
    send(page, "It was a dark night, and the captain")
    expect(page.locator("#experts [role=option]").nth(5)).to_be_attached()
    page.locator("#message button.stop-button").click()
    done(page)
    assert "" not in page.locator("#experts .map td").all_inner_texts()
    before = tokens(page)
    assert len(before) < 200
    page.wait_for_timeout(500)
    assert tokens(page) == before


def test_a_token_tells_its_experts_by_pointer_and_keyboard(experts: Page) -> None:
    send(experts, "Hello, how are you?")
    done(experts)
    own = experts.locator("#experts .map td.asked")
    options = experts.locator("#experts [role=option]")
    options.nth(1).hover()
    expect(own).to_have_count(2 * LAYERS)
    expect(experts.locator("#experts .told")).to_contain_text("layer 6: ")
    experts.locator("#experts .explained").hover()
    expect(own).to_have_count(0)
    options.first.focus()
    experts.keyboard.press("ArrowRight")
    expect(options.nth(1)).to_be_focused()
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    experts.keyboard.press("End")
    expect(options.last).to_be_focused()
    expect(own).to_have_count(2 * LAYERS)


def test_the_csv_holds_every_choice(experts: Page) -> None:
    send(experts, "Hello, how are you?")
    done(experts)
    many = len(tokens(experts))
    rows = counted(experts)
    choices = Counter[tuple[str, str]]()
    for row in rows:
        choices[row["of"], row["layer"]] += int(row["choices"])
    assert len(rows) == 2 * LAYERS * EXPERTS
    assert set(choices.values()) == {2 * many}
    assert {of for of, _ in choices} == {"the newest reply", "Grok"}


def test_the_png_is_a_picture_of_the_map(experts: Page) -> None:
    send(experts, "Hello, how are you?")
    done(experts)
    data = export(experts, "png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") > 64 * EXPERTS  # its width


def test_personas_are_compared_and_a_reload_keeps_their_counts(experts: Page, app_url: str) -> None:
    send(experts, "Hello, how are you?")
    done(experts)
    choose_persona_of_a_conversation(experts, "Cynic")
    send(experts, "What is love?")
    done(experts, 2)
    wait_until_saved(experts, 4)
    rows = experts.locator("#experts .personas tr:has(td)")
    expect(rows).to_have_count(2)
    table = rows.all_inner_texts()
    assert [line.split()[0] for line in table] == ["Grok", "Cynic"]
    experts.locator("#experts select").select_option(label="Cynic")
    experts.reload()
    experts.wait_for_selector("#message textarea")
    done(experts, 2)
    open_panel(experts)
    expect(rows).to_have_count(2)
    assert rows.all_inner_texts() == table
    assert not tokens(experts)


def choose_persona_of_a_conversation(page: Page, name: str) -> None:
    page.locator("#persona input").click()
    page.get_by_role("option", name=name).click()
    expect(page.locator("#persona input")).to_have_value(re.compile(name))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(page: Page, app_url: str, theme: str) -> None:
    page.set_viewport_size(PHONE)
    open_page(page, app_url, theme)
    send(page, "Hello, how are you?")
    done(page)
    open_panel(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for part in (".map table", ".csv", ".png", "select", ".reply"):
        box = page.locator(f"#experts {part}").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]

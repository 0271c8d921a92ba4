"""The notebook in a real browser: text goes on in place, its tokens can be asked and changed."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_accessibility import grave
from tests.browser.test_chat_page import DESK, PHONE, open_page, set_slider

NIGHT = "It was a dark night, and the captain"
TOO_LONG = "word " * 3000
ANYHOW = re.compile("cut at its longest|the model ended the text here")


@pytest.fixture
def notebook(page: Page, app_url: str) -> Page:
    page.set_viewport_size(DESK)
    open_page(page, app_url)
    open_notebook(page)
    return page


def open_notebook(page: Page) -> None:
    page.get_by_role("tab", name="Notebook").click()
    expect(page.locator("#notebook .go")).not_to_be_empty()  # its script has begun


def settings(page: Page, longest: int, temperature: float = 0.8) -> None:
    page.locator("#notebook-settings").get_by_role("button", name="Settings").click()
    set_slider(page, "notebook-longest", longest)
    set_slider(page, "notebook-temperature", temperature)


def area(page: Page) -> Locator:
    return page.locator("#notebook textarea")


def words(page: Page) -> Locator:
    """The tinted tokens."""
    return page.locator("#notebook .tints span")


def choices(page: Page) -> Locator:
    return page.locator("#notebook .choices")


def text(page: Page) -> str:
    return area(page).input_value()


def press(page: Page, name: str) -> None:
    page.locator("#notebook .tools").get_by_role("button", name=name, exact=True).click()


def ended(page: Page, how: str | re.Pattern[str] = ANYHOW) -> None:
    expect(page.locator("#notebook .status")).to_contain_text(how)
    expect(page.locator("#notebook .go")).to_have_text("Continue")


def go_on(page: Page, begun: str = NIGHT, longest: int = 12) -> str:
    """Continues `begun` at temperature 0; returns the whole text."""
    settings(page, longest, 0)
    area(page).fill(begun)
    press(page, "Continue")
    ended(page)
    return text(page)


def caret(page: Page, place: int) -> None:
    """Puts the caret at a character, by the keyboard as far as the page can see."""
    area(page).focus()
    area(page).evaluate("(area, at) => area.setSelectionRange(at, at)", place + 1)
    page.keyboard.press("ArrowLeft")


def point(page: Page, word: Locator) -> None:
    box = word.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def engine_is_idle(page: Page, url: str) -> None:
    """Waits until a request of another visitor would find no neighbour."""
    for _ in range(100):
        running = re.search(
            r"^\S*running\S* ([\d.]+)$", page.request.get(f"{url}/metrics").text(), re.M
        )
        assert running
        if float(running[1]) == 0:
            return
        page.wait_for_timeout(100)
    pytest.fail("the engine still works")


def test_a_text_goes_on_in_place_and_its_tokens_are_tinted(notebook: Page) -> None:
    whole = go_on(notebook)
    assert whole.startswith(NIGHT)
    assert "".join(words(notebook).all_text_contents()) == whole.removeprefix(NIGHT)
    tints = words(notebook).evaluate_all(
        "all => all.map(word => Number(word.style.getPropertyValue('--tint')))"
    )
    assert len(set(tints)) > 3
    assert all(0 <= tint <= 1 for tint in tints)
    press(notebook, "Continue")
    ended(notebook)
    assert text(notebook).startswith(whole)
    assert words(notebook).count() > len(tints)


def test_the_letters_lie_on_their_tints(notebook: Page) -> None:
    go_on(notebook, f"{NIGHT}\n\n{'x' * 300} and so on\n", 40)
    sizes = notebook.evaluate(
        """() => ["textarea", ".tints"].map(name => {
            const { scrollHeight, clientWidth } = document.querySelector(`#notebook ${name}`);
            const style = getComputedStyle(document.querySelector(`#notebook ${name}`));
            return [scrollHeight, clientWidth, style.font, style.padding, style.letterSpacing];
        })"""
    )
    assert sizes[0] == sizes[1]


def test_pointing_at_a_token_shows_the_likeliest_and_choosing_one_goes_on(notebook: Page) -> None:
    whole = go_on(notebook)
    before = words(notebook).all_text_contents()
    point(notebook, words(notebook).nth(4))
    expect(choices(notebook)).to_be_visible()
    expect(choices(notebook).locator("button")).to_have_count(5)
    expect(choices(notebook).locator("p")).to_have_text(re.compile(r"\d% likely"))
    other = choices(notebook).locator("button:not([aria-current]):enabled").first
    chosen = other.locator("span").first.inner_text().replace("·", " ").replace("↵", "\n")
    other.click()
    ended(notebook)
    assert text(notebook).startswith(NIGHT + "".join(before[:4]) + chosen)
    assert text(notebook) != whole
    assert words(notebook).all_text_contents()[4] == chosen
    notebook.keyboard.press("Control+z")
    notebook.keyboard.press("Control+z")
    expect(area(notebook)).to_have_value(whole)
    press(notebook, "Redo")
    assert text(notebook) == NIGHT + "".join(before[:4]) + chosen


def test_everything_by_keyboard(notebook: Page) -> None:
    settings(notebook, 10, 0)
    area(notebook).focus()
    notebook.keyboard.type(NIGHT)
    notebook.keyboard.press("Control+Enter")
    ended(notebook)
    expect(choices(notebook)).to_be_hidden()
    notebook.keyboard.press("Control+End")
    notebook.keyboard.press("ArrowLeft")
    expect(choices(notebook)).to_be_visible()
    notebook.keyboard.press("Escape")
    expect(choices(notebook)).to_be_hidden()
    caret(notebook, len(NIGHT))
    expect(choices(notebook)).to_be_visible()
    notebook.keyboard.press("Tab")
    expect(choices(notebook).locator("button").nth(0)).to_be_focused()
    notebook.keyboard.press("ArrowDown")
    second = choices(notebook).locator("button").nth(1)
    expect(second).to_be_focused()
    chosen = second.locator("span").first.inner_text().replace("·", " ").replace("↵", "\n")
    notebook.keyboard.press("Enter")
    ended(notebook)
    assert text(notebook).startswith(NIGHT + chosen)
    expect(area(notebook)).to_be_focused()


def test_an_edit_takes_the_tint_of_what_follows(notebook: Page) -> None:
    go_on(notebook)
    before = words(notebook).all_text_contents()
    caret(notebook, len(NIGHT) + len("".join(before[:5])))
    notebook.keyboard.type("XY")
    assert words(notebook).all_text_contents() == before[:5]
    assert text(notebook) == NIGHT + "".join(before[:5]) + "XY" + "".join(before[5:])
    notebook.keyboard.press("Control+z")  # both letters at once
    assert words(notebook).all_text_contents() == before
    press(notebook, "Redo")
    assert words(notebook).all_text_contents() == before[:5]
    press(notebook, "Continue")
    ended(notebook)
    assert words(notebook).count() > 5


def test_stop_and_typing_end_it(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    open_notebook(page)
    area(page).fill(NIGHT)
    press(page, "Continue")
    expect(words(page).nth(3)).to_be_attached()
    press(page, "Stop")
    ended(page, "stopped")
    engine_is_idle(page, slow_url)
    kept = text(page)
    page.wait_for_timeout(500)
    assert text(page) == kept
    many = words(page).count()
    press(page, "Continue")
    expect(words(page).nth(many + 2)).to_be_attached()
    area(page).press("Control+Home")
    page.keyboard.type("So: ")
    ended(page, "stopped")
    assert text(page).startswith("So: " + kept)
    engine_is_idle(page, slow_url)


def test_another_choice_while_it_grows(notebook: Page) -> None:
    settings(notebook, 200)
    area(notebook).fill(NIGHT)
    press(notebook, "Continue")
    expect(words(notebook).nth(6)).to_be_attached()
    first = words(notebook).nth(0).inner_text()
    point(notebook, words(notebook).nth(1))
    choices(notebook).locator("button:enabled").last.click()
    ended(notebook)
    assert text(notebook).startswith(NIGHT + first)
    assert text(notebook) == NIGHT + "".join(words(notebook).all_text_contents())


def test_the_text_survives_a_reload(notebook: Page) -> None:
    whole = go_on(notebook)
    tinted = words(notebook).all_text_contents()
    notebook.reload()
    open_notebook(notebook)
    expect(area(notebook)).to_have_value(whole)
    assert words(notebook).all_text_contents() == tinted


def test_each_tab_has_its_own_text(notebook: Page, app_url: str) -> None:
    area(notebook).fill("One text")
    tabs = [notebook.context.new_page() for _ in range(2)]
    open_page(tabs[0], app_url)
    open_notebook(tabs[0])
    area(tabs[0]).fill("Another text")
    open_page(tabs[1], app_url)
    open_notebook(tabs[1])
    assert text(tabs[1]) == "Another text"  # a new tab begins with the newest
    notebook.reload()
    open_notebook(notebook)
    assert text(notebook) == "One text"


@pytest.mark.parametrize(
    "kept", ["{", '{"text": 5}', '{"text": "x", "tokens": [{"end": 9}]}', "[]"]
)
def test_a_broken_store_is_an_empty_sheet(new_page: Page, app_url: str, kept: str) -> None:
    new_page.add_init_script(f"localStorage.setItem('grok-1-notebook', {json.dumps(kept)})")
    open_page(new_page, app_url)
    open_notebook(new_page)
    assert text(new_page) == ""
    expect(new_page.locator("#notebook .go")).to_have_text("Continue")


def test_a_full_store_is_told(new_page: Page, app_url: str) -> None:
    new_page.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('full'); }"
    )
    open_page(new_page, app_url)
    open_notebook(new_page)
    area(new_page).fill(NIGHT)
    expect(new_page.locator("#notebook .problem")).to_contain_text("does not keep this text")


@pytest.mark.parametrize(
    ("begun", "told"), [("", "Write how the text begins first."), (TOO_LONG, "context is 1024")]
)
def test_what_cannot_go_on_is_said_so(notebook: Page, begun: str, told: str) -> None:
    area(notebook).fill(begun)
    press(notebook, "Continue")
    expect(notebook.locator("#notebook")).to_contain_text(told)
    expect(notebook.locator("#notebook .go")).to_have_text("Continue")
    assert text(notebook) == begun
    area(notebook).press("End")
    notebook.keyboard.type("!")
    expect(notebook.locator("#notebook .problem")).to_have_text("")  # it was of another text


def test_the_bytes_of_a_character_are_asked_and_changed_one_by_one(
    new_page: Page, app_url: str
) -> None:
    byte = [[3 + 0xC3, "", "<0xC3>", 0.4], [1, None, "<s>", 0.1]]
    kept: dict[str, Any] = {
        "text": "caf\u00e9",
        "tokens": [
            {"at": 3, "end": 3, "id": 3 + 0xC3, "p": 0.4, "top": byte},
            {
                "at": 3,
                "end": 4,
                "id": 3 + 0xA9,
                "p": 0.9,
                "top": [[3 + 0xA9, "\u00e9", "\u00e9", 0.9]],
            },
        ],
    }
    new_page.add_init_script(
        f"localStorage.setItem('grok-1-notebook', {json.dumps(json.dumps(kept))})"
    )
    open_page(new_page, app_url)
    open_notebook(new_page)
    settings(new_page, 5, 0)
    caret(new_page, 3)
    expect(choices(new_page).locator("p")).to_have_text(
        ["<0xC3>, 40% likely", "\u00e9, 90% likely"]
    )
    expect(choices(new_page).locator("button:disabled")).to_have_text("the end of the text 10%")
    choices(new_page).locator("button").first.click()
    expect(new_page.locator("#notebook .status")).to_contain_text("seed")
    assert text(new_page).startswith("caf")
    assert new_page.locator("#notebook .problem").inner_text() == ""


def test_no_half_of_a_character_is_left_when_it_is_deleted(new_page: Page, app_url: str) -> None:
    four = [
        {"at": 2, "end": 2 + 2 * (byte == 0x82), "id": 3 + byte, "p": 0.5, "top": []}
        for byte in (0xF0, 0x9F, 0x99, 0x82)
    ]
    kept = {"text": "Hi\U0001f642", "tokens": four}
    new_page.add_init_script(
        f"localStorage.setItem('grok-1-notebook', {json.dumps(json.dumps(kept))})"
    )
    open_page(new_page, app_url)
    open_notebook(new_page)
    area(new_page).press("End")
    area(new_page).press("Backspace")
    assert text(new_page) == "Hi"
    new_page.wait_for_function("JSON.parse(localStorage['grok-1-notebook']).text === 'Hi'")
    assert new_page.evaluate("JSON.parse(localStorage['grok-1-notebook']).tokens") == []


def test_markup_is_text(notebook: Page) -> None:
    markup = "<img src=x onerror=\"document.title='no'\"> ${1+1} {{x}} \u202e\u05d0 \U0001f99c"
    go_on(notebook, markup, 3)
    assert text(notebook).startswith(markup)
    assert notebook.locator("#notebook img").count() == 0
    assert notebook.title() != "no"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_with_choices_and_settings_open_nothing_is_seriously_wrong(
    page: Page, app_url: str, theme: str
) -> None:
    open_page(page, app_url, theme)
    open_notebook(page)
    go_on(page)
    page.wait_for_timeout(500)  # the accordion opens slowly
    caret(page, len(NIGHT))
    expect(choices(page)).to_be_visible()
    assert not grave(page)


def test_a_phone_has_all_of_it(page: Page, app_url: str) -> None:
    page.set_viewport_size(PHONE)
    open_page(page, app_url)
    open_notebook(page)
    area(page).fill(NIGHT)
    press(page, "Continue")
    ended(page)
    words(page).last.scroll_into_view_if_needed()
    box = words(page).last.bounding_box()
    assert box
    page.mouse.click(box["x"] + 3, box["y"] + 6)
    expect(choices(page)).to_be_visible()
    place = choices(page).bounding_box()
    assert place
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= PHONE["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

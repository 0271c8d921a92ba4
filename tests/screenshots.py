"""Takes the pictures of the README: the real app, the default model, a browser."""

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests import chromium
from tests.app_process import ROOT, AppProcess
from tests.browser.test_chat_page import DESK, PHONE, done, open_page, open_settings, send

FOLDER = ROOT / "assets" / "screenshots"
SETTLED = 1200  # milliseconds after which what slides and fades has done so


def main() -> int:
    """Starts the app and takes all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, AppProcess(Path(folder) / "log") as app:
        app.wait_until_ready()
        with sync_playwright() as playwright:
            found = chromium.find()
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
            for name, picture in PICTURES.items():
                picture(browser, app.url, FOLDER / f"{name}.png")
                print(FOLDER / f"{name}.png")
    return 0


def take(page: Page, path: Path) -> None:
    """The window as it is."""
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=path)


def window(browser: Browser, url: str, theme: str = "light", phone: bool = False) -> Page:
    """A visitor's window, with the seed fixed."""
    page = browser.new_page(viewport=PHONE if phone else DESK, device_scale_factor=1.5)
    open_page(page, url, theme)
    open_settings(page)
    page.locator("#seed textarea, #seed input").fill("4")
    page.locator("#settings .toggle-button").click()
    return page


def chat(browser: Browser, url: str, path: Path) -> None:
    """A conversation, and the list of those kept in the browser."""
    page = window(browser, url)
    for opening in ("Do you believe in aliens?", "How was your day?", "Do you like football?"):
        page.locator("#new").click()
        page.locator("#chat .example").first.wait_for()
        send(page, opening)
        done(page)
    page.get_by_label("Retry").last.click()
    page.get_by_text("version 2 of 2").wait_for()
    done(page)
    send(page, "And what would you tell a friend about it?")
    done(page, 2)
    page.locator("#talks .toggle-button").click()
    take(page, path)


def phone(browser: Browser, url: str, path: Path) -> None:
    """The same on a phone, at night."""
    page = window(browser, url, "dark", phone=True)
    send(page, "How was your day?")
    done(page)
    take(page, path)


def experts(browser: Browser, url: str, path: Path) -> None:
    """Who speaks in each layer."""
    page = window(browser, url)
    page.get_by_text("Watch the experts").click()
    send(page, "How was your day?")
    done(page)
    page.locator("#experts-row").scroll_into_view_if_needed()
    take(page, path)


def compare(browser: Browser, url: str, path: Path) -> None:
    """One message, several replies."""
    page = window(browser, url)
    page.get_by_role("tab", name="Compare").click()
    page.locator("#many").get_by_label("3").click()
    box = page.locator("#compare-message textarea")
    box.fill("What is money?")
    box.press("Enter")
    page.get_by_text("tokens/s").nth(2).wait_for()
    page.locator("#compare-message .submit-button").wait_for()
    take(page, path)


def notebook(browser: Browser, url: str, path: Path) -> None:
    """A text going on, and what else might have come."""
    page = window(browser, url)
    page.get_by_role("tab", name="Notebook").click()
    page.get_by_text("Settings", exact=True).last.click()
    page.locator("#notebook-seed textarea, #notebook-seed input").fill("4")
    page.get_by_text("Settings", exact=True).last.click()
    page.locator("#notebook textarea").fill("It was a dark night, and the captain")
    page.locator("#notebook .go").click()
    page.get_by_text(re.compile("the model ended the text here|cut at its longest")).wait_for()
    box = page.locator("#notebook .tints [data-token]").nth(6).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    take(page, path)


def personas(browser: Browser, url: str, path: Path) -> None:
    """A persona and its prompt."""
    page = window(browser, url)
    page.get_by_role("tab", name="Personas").click()
    take(page, path)


PICTURES: dict[str, Callable[[Browser, str, Path], None]] = {
    "chat": chat,
    "phone": phone,
    "experts": experts,
    "compare": compare,
    "notebook": notebook,
    "personas": personas,
}

if __name__ == "__main__":
    sys.exit(main())

"""What the browser is told of the page: every text of it is in English and in German."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.app_process import ROOT

GERMAN = tomllib.loads((ROOT / "grok_app/web/page/german.toml").read_text("utf-8"))
WITH_VALUE = {"button", "markdown"}
UNSEEN = {"api", "state", "browserstate", "html", "tabs", "row", "column", "form", "dataset"}
NOT_TRANSLATED = re.compile(r"\W*|[‹›]|# Grok-1 in the browser")


@pytest.fixture(scope="module")
def config(app_url: str) -> dict[str, Any]:
    """What the browser is told of the page."""
    return httpx.get(f"{app_url}/config", timeout=60).json()


def readable(components: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(where it stands, text) of all that is for reading."""
    for component in components:
        kind, props = component["type"], component["props"]
        names = ["label", "info", "value"] if kind in WITH_VALUE else ["label", "info"]
        if kind != "chatbot":  # whose placeholder is the persona's own welcome
            names.append("placeholder")
        for name in names if kind not in UNSEEN else []:
            if text := props.get(name):
                yield f"{kind} {props.get('elem_id')} {name}", text


def test_every_text_of_the_page_has_a_translation(config: dict[str, Any]) -> None:
    german = config["i18n_translations"]["de"]
    assert german.items() >= GERMAN.items()
    found = 0
    for where, text in readable(config["components"]):
        if text.startswith("__i18n__"):
            assert json.loads(text.removeprefix("__i18n__"))["key"] in german
            found += 1
        else:
            assert NOT_TRANSLATED.fullmatch(text), f"{where}: {text!r} is not in german.toml"
    assert found > 30

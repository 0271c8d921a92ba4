"""The pages for those who work on it name what there is."""

import re

import pytest

from tests.app_process import ROOT
from tests.test_layers import MAY_IMPORT

PAGES = ("docs/architecture.md", "CONTRIBUTING.md")
PATH = re.compile(r"`([\w./-]+(?:\.(?:py|js|toml|md)|/))`")


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_backticks_exists(page: str) -> None:
    found = PATH.findall((ROOT / page).read_text("utf-8"))
    assert found
    for path in found:
        assert any((folder / path).exists() for folder in (ROOT, ROOT / "grok_app")), path


def test_the_picture_of_the_house_has_every_part_of_it() -> None:
    _, picture, *_ = (ROOT / "docs/architecture.md").read_text("utf-8").split("```")
    drawn = re.findall(r"^  (\w+)(?:/|\.py) ", picture, re.M)
    assert sorted(drawn) == sorted(set(MAY_IMPORT) - {"__init__", "__main__"})

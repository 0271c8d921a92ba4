"""Text of a model or a person is never HTML."""

import re

from hypothesis import given
from hypothesis import strategies as st

from grok_app.web.page import markup
from grok_app.web.page.markup import harmless, original
from tests.app_process import ROOT

TAGS = ["<", "!", "[", "script", "/", ">", "img src=x", " ", "a", "<!--", "```", "mermaid"]
LINKS = ["](", "]:", "file:", "File:", "x)"]
NASTY = st.lists(st.sampled_from(TAGS + LINKS)).map("".join)


@given(NASTY)
def test_no_tag_no_image_and_no_diagram_is_left(text: str) -> None:
    shown = harmless(text)
    assert not re.search(r"<[A-Za-z/!?]", shown)
    assert "![" not in shown
    assert "```mermaid" not in shown
    assert not re.search(r"\][(:]\s*<?file:", shown, re.IGNORECASE)
    assert original(shown) == text


def test_what_was_drawn_as_a_link_is_copied_without_a_mark() -> None:
    drawn = harmless("Look: ![a cat](http://example.com/cat.png)").replace("[a cat]", "a cat")
    assert original(drawn).startswith("Look: !a cat")


def test_plain_text_is_untouched() -> None:
    text = "1 < 2, a <- b, x << y, **bold** and [a link](http://example.com)!"
    assert harmless(text) == text


def test_the_browser_has_the_very_same_rule() -> None:
    script = (ROOT / "grok_app" / "web" / "js" / "markup.js").read_text("utf-8")
    rules = dict(re.findall(r"^const (\w+) = /(.*)/g;$", script, re.M))
    mark = f"\\u{ord(markup._BREAK):04x}"
    assert rules == {
        "ACTIVE": markup._ACTIVE.pattern,
        "BROKEN": markup._BROKEN.pattern.replace(markup._BREAK, mark),
    }
    assert f'const BREAK = "{mark}";' in script

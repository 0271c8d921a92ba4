"""Text of a model or a person is never HTML."""

import re

from hypothesis import given
from hypothesis import strategies as st

from grok_app.web.markup import harmless, original

NASTY = st.lists(
    st.sampled_from(
        ["<", "!", "[", "script", "/", ">", "img src=x", " ", "a", "<!--", "```", "mermaid"]
    )
).map("".join)


@given(NASTY)
def test_no_tag_no_image_and_no_diagram_is_left(text: str) -> None:
    shown = harmless(text)
    assert not re.search(r"<[A-Za-z/!?]", shown)
    assert "![" not in shown
    assert "```mermaid" not in shown
    assert original(shown) == text


def test_plain_text_is_untouched() -> None:
    text = "1 < 2, a <- b, x << y, **bold** and [a link](http://example.com)!"
    assert harmless(text) == text

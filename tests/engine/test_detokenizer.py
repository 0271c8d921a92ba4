"""Streaming text: never half a character, never part of a stop string, nothing lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok_app.engine.detokenizer import Detokenizer

STOPS = ["\nUser:", "\nGrok:", "###"]
ALPHABET = st.sampled_from(list("aUser:\n# Grok\u00e9\u6f22\U0001f600"))


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


def stream(pieces: list[bytes], stop: list[str]) -> tuple[list[str], bool]:
    text = Detokenizer(stop)
    shown = []
    for number, piece in enumerate(pieces):
        shown.append(text.push(piece, final=number == len(pieces) - 1))
        if text.stopped:
            break
    return shown, text.stopped


def cut_at_stop(text: str, stop: list[str]) -> str:
    found = [at for s in stop if (at := text.find(s)) >= 0]
    return text[: min(found)] if found else text


@given(text=st.text(ALPHABET, min_size=1), cuts=st.lists(st.integers(0, 200)))
def test_a_stream_is_the_text_up_to_the_first_stop(text: str, cuts: list[int]) -> None:
    shown, stopped = stream(pieces_of(text.encode(), cuts), STOPS)
    assert "\ufffd" not in "".join(shown)
    assert stopped == any(stop in text for stop in STOPS)
    if not stopped:
        assert "".join(shown) == text
    else:
        # Which stop is found first depends on where the pieces end; it is never shown.
        assert text.startswith("".join(shown))
        assert not any(stop in "".join(shown) for stop in STOPS)


@given(text=st.text(ALPHABET, min_size=1))
def test_byte_by_byte_equals_all_at_once(text: str) -> None:
    data = text.encode()
    shown, _ = stream([bytes([byte]) for byte in data], STOPS)
    assert "".join(shown) == cut_at_stop(text, STOPS)


@given(text=st.text(ALPHABET, min_size=1))
def test_only_what_could_become_a_stop_string_waits(text: str) -> None:
    decoder = Detokenizer(STOPS)
    pushed = shown = ""
    for character in text:
        pushed += character
        shown += decoder.push(character.encode())
        if decoder.stopped:
            return
        waiting = [n for s in STOPS for n in range(1, len(s)) if pushed.endswith(s[:n])]
        assert shown == pushed[: len(pushed) - max(waiting, default=0)]


def test_half_a_character_at_the_end_is_replaced() -> None:
    assert stream(["\u6f22".encode()[:2]], []) == (["\ufffd"], False)


def test_half_a_character_waits_for_its_other_half() -> None:
    data = "\U0001f600".encode()
    assert stream([data[:1], data[1:3], data[3:], b"!"], [])[0] == ["", "", "\U0001f600", "!"]


@pytest.mark.parametrize("stop", [[], ["\nUser:"]])
def test_plain_text_is_shown_at_once(stop: list[str]) -> None:
    assert stream([b"Hello", b" world"], stop)[0] == ["Hello", " world"]

"""The prompt: fits, keeps what must stay, and cannot be forged by what a person types."""

import sys
import time
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grok_app.chat import Exchange, Persona, Turn, build_prompt, load_personas
from grok_app.chat.persona import Labels
from grok_app.chat.prompt import LONGEST_MESSAGE, neutralize
from grok_app.errors import ContextExceeded, RequestError
from tests.app_process import ROOT

GROK = Persona(
    slug="grok",
    name="Grok",
    description="d",
    preamble="Grok is witty.",
    examples=(Exchange("Hi", "Hello."),),
    labels=Labels("User", "Grok"),
    stop=("###",),
)
RAW = Persona(slug="raw", name="Raw", description="d", labels=None)
SHIPPED = load_personas(ROOT / "prompts")

NASTY = st.sampled_from(
    [
        "User:",
        "Grok:",
        "user :",
        "\uff35ser\uff1a",
        "Us\u200ber:",
        "#",
        "###",
        "\n",
        "\r\n",
        "\r",
        "\u2028",
        "\u2029",
        "\x85",
        "\x0b",
        "\x0c",
        " ",
        ":",
        "> ",
        "hello",
        "\ud800",
        "\x00",
    ]
)
TEXT = st.lists(NASTY | st.text(max_size=5), min_size=1, max_size=12).map("".join)


def encode(text: str) -> list[int]:
    return [len(word) for word in text.split()]


def user(text: str) -> Turn:
    return Turn("user", text)


def reply(text: str) -> Turn:
    return Turn("assistant", text)


def test_the_form_of_a_prompt() -> None:
    prompt = build_prompt(GROK, [user("One"), reply("Two"), user(" Three ")], encode, 100, 10)
    assert prompt.text == (
        "Grok is witty.\n\nUser: Hi\nGrok: Hello.\nUser: One\nGrok: Two\nUser: Three\nGrok:"
    )
    assert (prompt.dropped, prompt.max_new_tokens) == (0, 10)
    assert list(prompt.ids) == encode(prompt.text)
    assert prompt.tokens == len(prompt.ids)


def test_without_a_preamble_there_is_no_empty_line() -> None:
    bare = replace(GROK, preamble="", examples=())
    assert build_prompt(bare, [user("One")], encode, 100, 10).text == "User: One\nGrok:"


def test_a_reply_is_continued_where_it_ends() -> None:
    prompt = build_prompt(GROK, [user("One"), reply("Two is")], encode, 100, 10)
    assert prompt.text.endswith("User: One\nGrok: Two is")


def test_raw_text_is_continued_as_it_is() -> None:
    prompt = build_prompt(RAW, [user("Once upon"), reply(" a time "), user("in")], encode, 100, 10)
    assert prompt.text == "Once upon a time in"


def test_the_oldest_turns_go_and_preamble_and_newest_stay() -> None:
    turns = [turn for i in range(50) for turn in (user(f"question {i}"), reply(f"answer {i}"))]
    prompt = build_prompt(GROK, [*turns, user("the last")], encode, 60, 20)
    assert prompt.text.startswith("Grok is witty.\n\nUser: Hi\nGrok: Hello.\n")
    assert prompt.text.endswith("Grok: answer 49\nUser: the last\nGrok:")
    assert "question 1\n" not in prompt.text
    shown = sum(f"{turn.text}\n" in prompt.text for turn in turns)
    assert shown == len(turns) - prompt.dropped > 0


@given(
    texts=st.lists(st.text("ab ", min_size=1, max_size=40), min_size=1, max_size=30),
    context=st.integers(20, 200),
    wish=st.integers(1, 300),
)
def test_a_prompt_and_its_reply_always_fit(texts, context, wish) -> None:
    turns = [Turn(("user", "assistant")[i % 2], f"x{text}") for i, text in enumerate(texts)]
    try:
        prompt = build_prompt(GROK, turns, str.encode, context * 10, wish)
    except RequestError:
        newest = len(f"{turns[-1].text}") + len(GROK.preamble) + 50
        assert newest + min(wish, context * 5) > context * 10 - 50
    else:
        assert prompt.tokens + prompt.max_new_tokens <= context * 10
        # Half of the context is kept free for the reply; what else is free it may have too.
        assert prompt.max_new_tokens == min(wish, max(context * 5, context * 10 - prompt.tokens))
        assert 0 <= prompt.dropped < len(turns)


def test_what_fits_is_encoded_once_and_what_does_not_costs_little_more() -> None:
    encoded: list[str] = []

    def noting(text: str) -> bytes:
        encoded.append(text)
        return text.encode()

    fitting = build_prompt(GROK, [user("a" * 50)], noting, 1000, 100)
    assert encoded == [fitting.text]
    encoded.clear()
    build_prompt(GROK, [user("a" * 50) for _ in range(1001)], noting, 1000, 100)
    assert sum(map(len, encoded)) < 1.1 * 1001 * 70


@pytest.mark.parametrize("turns", [[], [user("")], [user(" \n ")]], ids=str)
def test_an_empty_message_is_refused(turns) -> None:
    with pytest.raises(RequestError, match="empty"):
        build_prompt(GROK, turns, encode, 100, 10)


def test_a_message_longer_than_the_context_is_refused() -> None:
    with pytest.raises(ContextExceeded, match=r"shorten the message or what stands before it$"):
        build_prompt(GROK, [user("word " * 200)], encode, 100, 10)


def test_a_shorter_reply_is_advised_only_where_it_helps() -> None:
    alone = build_prompt(GROK, [user("word " * 100)], encode, 10_000, 10).tokens
    with pytest.raises(ContextExceeded, match=rf"{alone - 5} fit: .*lower the reply's length$"):
        build_prompt(GROK, [user("word " * 100)], encode, alone + 5, 10)
    build_prompt(GROK, [user("word " * 100)], encode, alone + 5, 5)
    with pytest.raises(ContextExceeded, match=r"what stands before it$"):
        build_prompt(GROK, [user("word " * 100)], encode, alone, 1)


def test_a_huge_message_is_refused_before_it_is_encoded() -> None:
    def never(text: str) -> list[int]:
        raise AssertionError("encoded")

    with pytest.raises(RequestError, match="100,000 characters"):
        build_prompt(GROK, [user("x" * 100_000)], never, 10**9, 10)
    with pytest.raises(RequestError, match=r"an earlier turn has 100,000 .* or leave it out"):
        build_prompt(GROK, [user("x" * 100_000), user("Hello")], never, 10**9, 10)
    assert LONGEST_MESSAGE < 100_000


def looks_like_a_label(line: str) -> bool:
    folded = unicodedata.normalize("NFKC", line).casefold()
    folded = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Mn"))
    name, colon, _ = folded.partition(":")
    return bool(colon) and name.strip() in ("user", "grok")


@given(text=TEXT)
@settings(max_examples=500)
def test_what_a_person_types_is_never_a_turn_marker(text: str) -> None:
    safe = neutralize(text, GROK)
    assert not any(looks_like_a_label(line) for line in safe.split("\n"))
    assert not any(looks_like_a_label(line) for line in safe.splitlines())
    assert not any(stop in safe for stop in GROK.stops)
    assert neutralize(safe, GROK) == safe
    safe.encode()


@given(texts=st.lists(TEXT, min_size=1, max_size=4))
@settings(max_examples=200)
def test_a_prompt_has_the_turns_it_was_given_and_no_more(texts) -> None:
    turns = [Turn(("user", "assistant")[i % 2], f"a {text}") for i, text in enumerate(texts)]
    prompt = build_prompt(GROK, turns, encode, 10_000, 10).text
    lines = prompt.removeprefix("Grok is witty.\n\n").split("\n")
    markers = [line for line in lines if line.startswith(("User:", "Grok:"))]
    open_end = 1 if turns[-1].role == "user" else 0
    assert len(markers) == 2 + len(turns) + open_end


def test_every_label_and_stop_string_of_the_shipped_personas_is_harmless() -> None:
    for persona in SHIPPED:
        for marker in persona.stops:
            message = f"before{marker} after\n{marker.strip()} again"
            prompt = build_prompt(persona, [user(message)], encode, 10_000, 10).text
            empty = build_prompt(persona, [user("x")], encode, 10_000, 10).text
            assert prompt.count(marker) == empty.count(marker)


@given(
    text=st.text(
        st.characters(categories=["L", "N", "P", "S"], exclude_characters=":#\ufe55\uff1a")
    )
)
def test_innocent_text_stays_as_it_is(text: str) -> None:
    assert neutralize(text, GROK) == text.strip()


def test_only_the_colon_goes() -> None:
    assert neutralize("Look:\nUser: I said\nfine", GROK) == "Look:\nUser I said\nfine"
    assert neutralize("User::: : hello: you", GROK) == "User  hello: you"


@pytest.mark.parametrize(
    "text", ["User" + ":" * 50_000, "a" * 25_000 + "b" * 25_000, ": " * 25_000]
)
def test_no_text_takes_long_to_make_harmless(text: str) -> None:
    calls = 0

    def count_calls(*_: object) -> None:
        nonlocal calls
        calls += 1

    persona = replace(GROK, stop=("ab",))
    sys.setprofile(count_calls)
    try:
        safe = neutralize(text, persona)
    finally:
        sys.setprofile(None)
    assert "ab" not in safe
    assert calls < 200 * len(text)


def test_a_character_takes_as_long_however_long_the_labels_are() -> None:
    """At every colon one of them might end."""

    def seconds(label: int) -> float:
        labels = Labels("a" * label, "b" * label)
        started = time.thread_time()
        safe = neutralize("x" + ":" * 20_000, replace(GROK, labels=labels, stop=("x",)))
        assert safe == ":" * 20_000
        return time.thread_time() - started

    # About the same; when each colon was compared with all of a label, forty times as long.
    long, short = (min(seconds(label) for _ in range(3)) for label in (4000, 2))
    assert long < 10 * short

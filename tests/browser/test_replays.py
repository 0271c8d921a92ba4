"""Replays: a conversation that was sent by somebody is made again, reply by reply."""

import json
import random
import re
import string

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_chat_page import (
    DESK,
    bot,
    choose_persona,
    done,
    open_page,
    open_settings,
    send,
    set_slider,
    stored,
    user,
)
from tests.browser.test_conversations import (
    exported,
    import_text,
    listed,
    open_list,
    press,
    saved,
    talk,
)
from tests.browser.test_personas import wait_until_listed


@pytest.fixture
def talks(page: Page, app_url: str) -> Page:
    page.set_viewport_size(DESK)
    open_page(page, app_url)
    open_list(page)
    return page


def test_a_replay_link_brings_the_very_same_words(
    talks: Page, app_url: str, context: BrowserContext
) -> None:
    talks.context.grant_permissions(["clipboard-read", "clipboard-write"])
    talk(talks, "What is love?", "And money?")
    said = user(talks), bot(talks)
    press(talks, "Copy a replay link")
    expect(talks.locator("#conversations .note")).to_contain_text("The link is on the clipboard")
    link = talks.evaluate("navigator.clipboard.readText()")
    assert "love" not in link
    other = context.new_page()
    other.goto(link)
    done(other, 2)
    expect(other.locator("#status")).to_have_text("replayed: the very same words")
    assert (user(other), bot(other)) == said
    open_list(other)
    (original,), (again,) = stored(talks), saved(other)
    assert [node["text"] for node in again["nodes"]] == [n["text"] for n in original["nodes"]]
    assert again["nodes"][-1]["made"]["experts"]


def test_a_link_opened_where_the_page_is_already_is_replayed(talks: Page) -> None:
    talks.evaluate("location.hash = '#replay=abc'")
    expect(talks.locator("#conversations .note")).to_contain_text("was it copied whole?")


def test_a_replay_in_other_words_is_one_conversation(talks: Page) -> None:
    talk(talks, "What is love?")
    recorded = json.loads(exported(talks, "Export"))
    recorded["nodes"][1]["text"] = "What it said on another machine."
    import_text(talks, json.dumps(recorded), "x.replay.json")
    expect(talks.locator("#status")).to_contain_text("came out in other words here")
    assert bot(talks) == ["What it said on another machine."]
    talks.wait_for_timeout(500)
    listed(talks, "What is love?", "What is love?")


def test_a_replay_too_long_for_a_link_is_a_file(talks: Page) -> None:
    talk(talks, "What is love?")
    long = json.loads(exported(talks, "Export"))
    # Words that no compression makes short, in a branch that the reply does not depend on.
    noise = "".join(random.Random(0).choices(string.ascii_letters + " ", k=12_000))
    long["nodes"] += [
        {"parent": 1, "role": "user", "text": noise},
        {"parent": 2, "role": "assistant", "text": "Indeed."},
    ]
    import_text(talks, json.dumps(long | {"id": "long", "leaf": 3}))
    expect(talks.locator("#chat [data-testid=bot]")).to_have_count(2)
    said = user(talks), bot(talks)
    file = exported(talks, "Copy a replay link")
    expect(talks.locator("#conversations .note")).to_contain_text("saved as a file")
    talks.locator("#new").click()
    expect(talks.locator("#chat .example").first).to_be_visible()
    import_text(talks, file, "talk.replay.json")
    expect(talks.locator("#status")).to_have_text("replayed: the very same words")
    assert (user(talks), bot(talks)) == said


def test_a_replay_brings_a_persona_of_ones_own_along(talks: Page, context: BrowserContext) -> None:
    talks.context.grant_permissions(["clipboard-read", "clipboard-write"])
    persona = 'name = "Ann"\ndescription = "x"\npreamble = "Ann talks of her garden."\n'
    talks.evaluate(
        "text => localStorage.setItem('grok-1-personas', JSON.stringify({'own-0123abcd': text}))",
        persona,
    )
    talks.reload()
    wait_until_listed(talks, "Ann", "#persona")
    choose_persona(talks, "Ann")
    send(talks, "What do you like to eat?")
    done(talks)
    said = user(talks), bot(talks)
    open_list(talks)
    press(talks, "Copy a replay link")
    expect(talks.locator("#conversations .note")).to_contain_text("The link is on the clipboard")
    link = talks.evaluate("navigator.clipboard.readText()")
    talks.evaluate("localStorage.removeItem('grok-1-personas')")  # as it is with anybody else
    other = context.new_page()
    other.goto(link)
    done(other)
    expect(other.locator("#status")).to_have_text("replayed: the very same words")
    assert (user(other), bot(other)) == said
    expect(other.get_by_text("there is no persona")).to_have_count(0)
    expect(other.locator("#persona input")).to_have_value(re.compile("Grok"))
    send(other, "Hello")
    done(other, 2)


def test_a_replay_can_be_stopped(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    open_list(page)
    choose_persona(page, "Raw completion")
    open_settings(page)
    set_slider(page, "max-tokens", 16)
    talk(page, "It was a dark night, and the captain")
    recorded = json.loads(exported(page, "Export"))
    again = [dict(node) for node in recorded["nodes"]]
    again[0]["parent"], again[1]["parent"] = 1, 2
    import_text(
        page,
        json.dumps(recorded | {"nodes": recorded["nodes"] + again, "leaf": 3}),
        "x.replay.json",
    )
    page.locator("#message button.stop-button").click()
    expect(page.locator("#message button.submit-button")).to_be_visible()
    page.wait_for_timeout(500)
    expect(page.locator("#chat [data-testid=user]")).to_have_count(1)
    expect(page.locator("#status")).not_to_contain_text("other words")


def test_a_replay_begun_during_a_reply_is_what_is_open_then(page: Page, slow_url: str) -> None:
    open_page(page, slow_url)
    open_list(page)
    choose_persona(page, "Raw completion")
    send(page, "It was a dark night, and the captain")
    expect(page.locator("#chat [data-testid=bot]")).to_contain_text(re.compile(r"\w+ \w+"))
    made = {"persona": "grok", "model": "another", "seed": 7}
    question = {"parent": None, "role": "user", "text": "Who is it?"}
    reply = {"parent": 0, "role": "assistant", "text": "It is I.", "made": made}
    replay = {"id": "x", "title": "Visit", "nodes": [question, reply], "leaf": 1}
    import_text(page, json.dumps(replay), "x.replay.json")
    expect(page.locator("#status")).to_contain_text("made by another model")
    assert bot(page) == ["It is I."]
    listed(page, "Visit", "It was a dark night, and the captain")
    assert json.loads(exported(page, "Export"))["title"] == "Visit"


def test_a_replay_on_another_model_says_so(
    talks: Page, context: BrowserContext, app_url: str
) -> None:
    talk(talks, "What is love?")
    foreign = json.loads(exported(talks, "Export"))
    foreign["nodes"][1]["made"]["model"] = "another"
    foreign["nodes"][1]["text"] = "What another model said."
    import_text(talks, json.dumps(foreign), "x.replay.json")
    expect(talks.locator("#status")).to_contain_text("made by another model")
    assert bot(talks) == ["What another model said."]


def test_a_broken_link_is_explained(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/#replay=abc")
    open_list(page)
    expect(page.locator("#conversations .note")).to_contain_text("was it copied whole?")

"""Which reply a visitor waits for, and that nobody's engine runs on."""

import threading
import time
from dataclasses import replace

import gradio as gr
import pytest

from grok_app.chat import Conversation, Turn, load_personas
from grok_app.web.reply import Reply
from grok_app.web.running import RunningReplies
from tests.app_process import ROOT

RAW = next(each for each in load_personas(ROOT / "prompts") if each.labels is None)
ONE, OTHER = gr.Request(session_hash="one"), gr.Request(session_hash="other")
TALK = Conversation().said("Hello")


@pytest.fixture
def reply(nano):
    """Makes replies that end only when they are stopped, or after a long time."""
    made = []

    def make() -> Reply:
        sampling = replace(RAW.sampling, max_tokens=900)
        made.append(Reply(nano, RAW, (Turn("user", "It was a dark night"),), sampling, seed=1))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def ended(reply: Reply) -> str | None:
    *_, last = reply
    return last.ended


def test_a_visit_has_one_reply_and_others_have_theirs(reply) -> None:
    replies = RunningReplies()
    first, foreign = replies.begin(ONE, reply(), TALK), replies.begin(OTHER, reply(), TALK)
    assert replies.awaits(ONE, first)
    second = replies.begin(ONE, reply(), TALK)
    assert not replies.awaits(ONE, first)
    replies.finish(ONE, first)  # late: the second goes on
    assert replies.awaits(ONE, second)
    assert replies.awaits(OTHER, foreign)


@pytest.mark.parametrize("way", ["stop", "leave", "finish"])
def test_however_it_ends_the_engine_is_free(reply, way: str) -> None:
    replies = RunningReplies()
    running = replies.begin(ONE, reply(), TALK)
    replies.stop(OTHER)
    replies.leave(OTHER)
    assert next(iter(running.reply)).ended is None
    getattr(replies, way)(*([ONE, running] if way == "finish" else [ONE]))
    assert ended(running.reply) == "stopped"
    assert replies.awaits(ONE, running) == (way == "stop")  # its own event still shows it


def test_who_goes_on_waits_for_the_last_word(reply) -> None:
    replies = RunningReplies()
    running = replies.begin(ONE, reply(), TALK)

    def last_word() -> None:
        time.sleep(0.2)
        running.talk = TALK.replied("Hello to you", None)
        replies.finish(ONE, running)

    threading.Thread(target=last_word).start()
    said = replies.end(ONE)
    assert said
    assert said.turns[-1].text == "Hello to you"
    assert ended(running.reply) == "stopped"
    assert replies.end(ONE) is None

"""How much a visitor may ask for."""

from types import SimpleNamespace

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok_app.chat import Sampling
from grok_app.errors import RequestError
from grok_app.web.server.limits import Limits, Visitor, visitor_of


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def visitor(session: str = "a", address: str = "192.0.2.1") -> Visitor:
    asked = SimpleNamespace(client=SimpleNamespace(host=address, port=1))
    return visitor_of(gr.Request(asked, session_hash=session))  # type: ignore[arg-type]


def test_without_numbers_there_is_no_limit() -> None:
    limits = Limits()
    for _ in range(1000):
        limits.admit(visitor())
    assert limits.bounded(Sampling(max_tokens=8000)).max_tokens == 8000


def test_one_too_many_is_told_when_the_next_may_come() -> None:
    clock = Clock()
    limits = Limits(2, clock=clock)
    limits.admit(visitor())
    clock.now += 10
    limits.admit(visitor())
    with pytest.raises(RequestError, match=r"2 messages a minute.* 50 seconds"):
        limits.admit(visitor())
    clock.now += 50
    limits.admit(visitor())
    with pytest.raises(RequestError, match="10 seconds"):
        limits.admit(visitor())


@pytest.mark.parametrize(
    "again",
    [
        visitor("b"),  # another tab
        visitor("a", "192.0.2.2"),  # another address
    ],
    ids=["tab", "address"],
)
def test_a_visitor_is_a_session_and_an_address(again: Visitor) -> None:
    limits = Limits(1)
    limits.admit(visitor())
    with pytest.raises(RequestError):
        limits.admit(again)
    limits.admit(visitor("c", "192.0.2.3"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.10", False),
        ("unknown", "unknown", True),
    ],
)
def test_a_household_is_one_address(one: str, other: str, same: bool) -> None:
    limits = Limits(1)
    limits.admit(visitor("a", one))
    if same:
        with pytest.raises(RequestError):
            limits.admit(visitor("b", other))
    else:
        limits.admit(visitor("b", other))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 40))))
def test_nobody_gets_more_in_any_minute(
    sendings: list[tuple[str, str, int]],
) -> None:
    clock = Clock()
    limits = Limits(3, clock=clock)
    admitted: list[tuple[float, str, str]] = []
    for session, address, later in sendings:
        clock.now += later
        recent = [one for one in admitted if one[0] > clock.now - 60]
        free = all(sum(name in one for one in recent) < 3 for name in (session, address))
        try:
            limits.admit(visitor(session, address))
        except RequestError:
            assert not free
        else:
            assert free
            admitted.append((clock.now, session, address))


def test_a_reply_is_no_longer_than_allowed() -> None:
    limits = Limits(1, tokens=50)
    assert limits.bounded(Sampling(max_tokens=8000)) == Sampling(max_tokens=50)
    assert limits.bounded(Sampling(max_tokens=7)) == Sampling(max_tokens=7)

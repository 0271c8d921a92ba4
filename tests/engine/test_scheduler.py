"""Who is served, when, and by which slot."""

import pytest

from grok_app.engine.request import Request, SamplingParams
from grok_app.engine.scheduler import Scheduler
from grok_app.errors import EngineBusy


def request(prompt: int = 4, room: int = 8) -> Request:
    return Request([1] * prompt, SamplingParams(), room)


def test_first_come_first_served_and_then_a_line() -> None:
    scheduler = Scheduler(slots=2, queue=2, chunk=8)
    requests = [request() for _ in range(4)]
    for r in requests:
        scheduler.add(r)
    with pytest.raises(EngineBusy, match="all 2 slots are taken and"):
        scheduler.add(request())
    scheduler.plan()
    assert scheduler.running() == requests[:2]
    assert [scheduler.place(r) for r in requests] == [0, 0, 1, 2]


def test_a_prompt_is_fed_in_chunks_and_then_decoded() -> None:
    scheduler = Scheduler(slots=1, queue=0, chunk=8)
    scheduler.add(r := request(prompt=20, room=3))
    fed = [scheduler.plan() for _ in range(3)]
    assert [(c.start, c.count, c.final) for plan in fed for c in plan.chunks] == [
        (0, 8, False),
        (8, 8, False),
        (16, 4, True),
    ]
    assert not any(plan.decode for plan in fed)
    decoded = [scheduler.plan() for _ in range(3)]
    # The final chunk makes the first token; room for three leaves two steps.
    assert [plan.decode for plan in decoded] == [{0: r}, {0: r}, {}]


def test_a_long_prompt_and_the_others_take_turns() -> None:
    scheduler = Scheduler(slots=2, queue=0, chunk=8)
    scheduler.add(short := request(prompt=4, room=100))
    scheduler.plan()
    scheduler.add(request(prompt=80))
    for _ in range(10):
        plan = scheduler.plan()
        assert len(plan.chunks) == 1
        assert plan.decode == {0: short}


def test_only_one_prompt_is_fed_at_a_time_in_a_shard() -> None:
    scheduler = Scheduler(slots=4, queue=0, chunk=8, shards=2)
    for _ in range(4):
        scheduler.add(request(prompt=8))
    first, second = scheduler.plan(), scheduler.plan()
    assert [c.slot for c in first.chunks] == [0, 2]
    assert [c.slot for c in second.chunks] == [1, 3]
    assert set(second.decode) == {0, 2}


def test_the_cancelled_and_finished_leave_at_once() -> None:
    scheduler = Scheduler(slots=1, queue=3, chunk=8)
    running, waiting, last = request(), request(), request()
    for r in (running, waiting, last):
        scheduler.add(r)
    scheduler.plan()
    waiting.cancelled.set()
    assert scheduler.sweep() == [waiting]
    running.finished = True
    assert scheduler.sweep() == [running]
    scheduler.plan()
    assert scheduler.running() == [last]


def test_a_cancelled_line_makes_room() -> None:
    scheduler = Scheduler(slots=1, queue=1, chunk=8)
    scheduler.add(request())
    scheduler.plan()
    scheduler.add(gone := request())
    with pytest.raises(EngineBusy):
        scheduler.add(request())
    gone.cancelled.set()
    scheduler.sweep()
    scheduler.add(request())

"""Who is served, when, and by which slot."""

import pytest

from grok_app.engine.request import Request, SamplingParams
from grok_app.engine.scheduler import Copy, Scheduler
from grok_app.errors import EngineBusy


def request(prompt: int = 4, max_new_tokens: int = 8) -> Request:
    return Request([1] * prompt, SamplingParams(), max_new_tokens)


def test_first_come_first_served_and_then_a_line() -> None:
    scheduler = Scheduler(slots=2, max_queued=2, chunks=(4, 8))
    requests = [request() for _ in range(4)]
    for r in requests:
        scheduler.add(r)
    with pytest.raises(EngineBusy, match="all 2 slots are taken and"):
        scheduler.add(request())
    scheduler.plan()
    assert scheduler.running() == requests[:2]
    assert [scheduler.place(r) for r in requests] == [0, 0, 1, 2]


def test_a_prompt_is_fed_in_chunks_and_then_decoded() -> None:
    scheduler = Scheduler(slots=1, max_queued=0, chunks=(4, 8))
    scheduler.add(r := request(prompt=20, max_new_tokens=3))
    fed = [scheduler.plan() for _ in range(3)]
    assert [(c.start, c.count, c.final) for plan in fed for c in plan.chunks] == [
        (0, 8, False),
        (8, 8, False),
        (16, 4, True),
    ]
    assert not any(plan.decode for plan in fed)
    decoded = [scheduler.plan() for _ in range(3)]
    # The final chunk makes the first token; three tokens leaves two steps.
    assert [plan.decode for plan in decoded] == [{0: (r, 1)}, {0: (r, 1)}, {}]


def test_a_long_prompt_and_the_others_take_turns() -> None:
    scheduler = Scheduler(slots=2, max_queued=0, chunks=(4, 8))
    scheduler.add(short := request(prompt=4, max_new_tokens=100))
    scheduler.plan()
    scheduler.add(request(prompt=80))
    for _ in range(10):
        plan = scheduler.plan()
        assert [chunk.count for chunk in plan.chunks] == [4]  # short, for the other one waits
        assert plan.decode == {0: (short, 1)}


def test_only_one_prompt_is_fed_at_a_time_in_a_shard() -> None:
    scheduler = Scheduler(slots=4, max_queued=0, chunks=(4, 8), shards=2)
    for _ in range(4):
        scheduler.add(request(prompt=8))
    first, second = scheduler.plan(), scheduler.plan()
    assert [c.slot for c in first.chunks] == [0, 2]
    assert [c.slot for c in second.chunks] == [1, 3]
    assert set(second.decode) == {0, 2}


def test_the_cancelled_and_finished_leave_at_once() -> None:
    scheduler = Scheduler(slots=1, max_queued=3, chunks=(4, 8))
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


def test_a_cancelled_queue_makes_room() -> None:
    scheduler = Scheduler(slots=1, max_queued=1, chunks=(4, 8))
    scheduler.add(request())
    scheduler.plan()
    scheduler.add(gone := request())
    with pytest.raises(EngineBusy):
        scheduler.add(request())
    gone.cancelled.set()
    scheduler.add(request())
    assert scheduler.sweep() == [gone]


def test_several_steps_at_once_while_nobody_waits() -> None:
    scheduler = Scheduler(slots=1, max_queued=1, chunks=(4, 8))
    scheduler.add(r := request(prompt=4, max_new_tokens=9))
    assert scheduler.plan(most_steps=4).steps == 0  # the prompt first, which makes a token
    assert scheduler.plan(most_steps=4).decode == {0: (r, 4)}
    scheduler.add(request())
    assert scheduler.plan(most_steps=4).decode == {0: (r, 1)}
    scheduler.waiting.clear()
    last = scheduler.plan(most_steps=4)
    assert (last.decode, last.steps) == ({0: (r, 3)}, 3)  # all that it may have


def test_the_next_turn_goes_on_in_its_slot() -> None:
    scheduler = Scheduler(slots=2, max_queued=0, chunks=(64, 64))
    scheduler.add(first := Request(list(range(50)), SamplingParams(), 8))
    scheduler.plan()
    first.finished = True
    scheduler.sweep()
    scheduler.add(Request([7] * 50, SamplingParams(), 8))
    scheduler.add(second := Request(list(range(70)), SamplingParams(), 8))
    plan = scheduler.plan()
    assert second.cached_tokens == 50
    assert scheduler.slots[0] is second
    assert not plan.copies
    (chunk,) = scheduler.plan().chunks
    assert (chunk.start, chunk.count) == (50, 20)


def test_too_little_that_is_cached_draws_nobody_to_a_shard() -> None:
    scheduler = Scheduler(slots=4, max_queued=0, chunks=(64, 64), shards=2)
    for number in range(4):
        scheduler.add(Request([1, 2, *[10 + number] * 48], SamplingParams(), 8))
        scheduler.plan()
    assert [r.prompt[2] for r in scheduler.running()] == [10, 12, 11, 13]


def test_a_prompt_goes_to_the_shard_that_knows_it() -> None:
    scheduler = Scheduler(slots=4, max_queued=0, chunks=(64, 64), shards=2)
    for start in (0, 100):
        scheduler.add(Request(list(range(start, start + 50)), SamplingParams(), 8))
    scheduler.plan()
    scheduler.add(again := Request(list(range(100, 160)), SamplingParams(), 8))
    plan = scheduler.plan()
    assert again.cached_tokens == 50
    assert scheduler.slots[3] is again
    assert plan.copies == [Copy(shard=1, source=0, target=1)]

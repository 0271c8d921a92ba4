"""A crowd that comes and goes: nobody's text is lost or mixed up, and nothing is left behind."""

import gc
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions, SamplingParams
from grok_app.errors import EngineBusy

PEOPLE, CASES = 64, 12
SAMPLED = SamplingParams(temperature=1.0, top_p=0.95, repetition_penalty=1.1)


@pytest.fixture(scope="module")
def engine(mini: Path) -> Iterator[grok_app.Engine]:
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), dtype="float32", slots=8, queue=64))
    yield engine
    engine.close()


def request(case: int) -> tuple[list[int], SamplingParams]:
    """A prompt, a third of which all have in common, and its settings."""
    rng = np.random.default_rng(case)
    own = rng.integers(3, 512, 10 + 5 * case).tolist()
    return [*range(3, 40), *own], replace(SAMPLED, max_tokens=10 + 3 * case, seed=case)


def ask(engine: grok_app.Engine, case: int) -> grok_app.Generation:
    return engine.generate(*request(case))


def wait_until_idle(engine: grok_app.Engine) -> None:
    deadline = time.monotonic() + 30
    while engine.stats().running or engine.stats().waiting:
        assert time.monotonic() < deadline, engine.stats()
        time.sleep(0.01)


def test_64_people_of_whom_a_third_leave_at_random(engine) -> None:
    alone = [[piece.token_id for piece in ask(engine, case)] for case in range(CASES)]
    threads_before = threading.active_count()
    wrong: list[object] = []
    whole = [0] * PEOPLE

    def visit(person: int) -> None:
        rng = random.Random(person)
        for _ in range(3):
            case = rng.randrange(CASES)
            leaves_after = rng.randrange(10) if rng.random() < 1 / 3 else None
            got: list[int] = []
            with ask(engine, case) as generation:
                for piece in generation:
                    if len(got) == leaves_after:
                        break
                    got.append(piece.token_id)
            if got != alone[case][:leaves_after]:
                wrong.append((person, case, got))
            whole[person] += leaves_after is None

    people = [threading.Thread(target=visit, args=(person,)) for person in range(PEOPLE)]
    for person in people:
        person.start()
    for person in people:
        person.join(120)
    assert not wrong
    assert sum(whole) > PEOPLE
    wait_until_idle(engine)
    assert threading.active_count() == threads_before


def test_one_who_does_not_read_holds_no_slot(engine) -> None:
    unread = [ask(engine, case) for case in range(8)]
    wait_until_idle(engine)
    assert [len(list(generation)) for generation in unread] == [
        len(list(ask(engine, case))) for case in range(8)
    ]


def test_beyond_the_queue_one_is_told_to_come_again(engine) -> None:
    held = [
        engine.generate([5] * 20, SamplingParams(max_tokens=200, temperature=0))
        for _ in range(8 + 64)
    ]
    with pytest.raises(EngineBusy, match="try again"):
        ask(engine, 0)
    assert max(generation.place for generation in held) > 50
    for generation in held:
        generation.close()
    wait_until_idle(engine)
    assert list(ask(engine, 0))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to ask for memory")
def test_2000_requests_leave_nothing_behind(engine) -> None:
    def memory() -> int:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def serve(count: int) -> None:
        for first in range(0, count, 50):
            many = [
                engine.generate([3 + i] * 9, SamplingParams(max_tokens=4, seed=first))
                for i in range(50)
            ]
            for i, generation in enumerate(many):
                if i % 3:
                    assert len(list(generation)) <= 4
                else:
                    generation.close()
            wait_until_idle(engine)

    serve(500)  # what is kept once and for all
    before, threads = memory(), threading.active_count()
    serve(1500)
    assert threading.active_count() == threads
    assert memory() - before < 8_000_000

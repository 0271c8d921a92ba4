"""The estimate of speed, beside what is computed by hand."""

from dataclasses import replace

import pytest

from grok_app.checkpoint.machine import KINDS, Machine
from grok_app.checkpoint.plan import Setup
from grok_app.checkpoint.speed import Step, estimate, floor_bytes
from grok_app.model.config import GROK_1

EIGHT = replace(KINDS["h100"], devices=8)
SERVED = Setup((1, 8), 8, 8192, "bfloat16")


def test_a_token_of_grok_1_reads_84_gigabytes() -> None:
    """Two experts of three matrices and 88 M of attention in each layer, and the table."""
    read = 64 * (2 * 3 * 6144 * 32768 + 88.1e6) + 2 * 131072 * 6144
    assert 8 * floor_bytes(GROK_1, 8, Step(1, 0), "bfloat16") == pytest.approx(read, rel=0.005)


def test_one_person_on_eight_gpus() -> None:
    speed = estimate(GROK_1, SERVED, EIGHT)
    assert speed is not None
    keys = 4096 * 2 * 64 * 128 * 2  # tokens, keys and values, layers, size, bytes
    read = 84.7e9 / 8 + keys
    seconds = read / 3.352e12 + (64 * 16 + 54) * 3e-6 + 4 * 12e-6
    assert speed.one == pytest.approx(1 / seconds, rel=0.01)
    assert speed.one < speed.all < 8 * speed.one  # eight choose more experts than one


def test_groups_of_devices_share_the_people() -> None:
    two = estimate(GROK_1, replace(SERVED, mesh=(2, 8)), replace(EIGHT, devices=16))
    four = estimate(GROK_1, replace(SERVED, slots=4), EIGHT)
    assert two is not None
    assert four is not None
    assert two.one == four.one
    assert two.all == pytest.approx(2 * four.all)


def test_a_processor_launches_nothing() -> None:
    machine = Machine(1, 2**39, "cpu", "a server", 300e9)
    speed = estimate(GROK_1, Setup((1, 1), 1, 8192, "float32"), machine)
    assert speed is not None
    read = floor_bytes(GROK_1, 1, Step(1, 4096), "float32")
    assert speed.one == speed.all == pytest.approx(300e9 / read)


def test_no_estimate_without_a_bandwidth() -> None:
    assert estimate(GROK_1, SERVED, Machine(8, 2**36, "", "as given")) is None

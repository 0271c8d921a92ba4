"""The channel between processes, on real sockets: who is let in, and what ends it."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from grok_app.engine.channel import SECRET_BYTES, Follower, Leader
from tests.app_process import ROOT, free_port

SECRET = bytes(range(SECRET_BYTES))


@pytest.fixture
def address() -> tuple[str, int]:
    return "127.0.0.1", free_port()


@pytest.fixture
def leader(address: tuple[str, int]) -> Iterator[Leader]:
    with closing(Leader(address)) as leader:
        yield leader


def gathering(leader: Leader, followers: int) -> threading.Thread:
    thread = threading.Thread(target=leader.gather, args=(followers, SECRET, 30), daemon=True)
    thread.start()
    return thread


def closed_by_peer(stranger: socket.socket) -> bool:
    stranger.settimeout(10)
    try:
        return stranger.recv(1) == b""
    except ConnectionResetError:
        return True


def test_messages_arrive_in_order_with_their_arrays(leader: Leader, address) -> None:
    gathered = gathering(leader, 1)
    follower = Follower(address, 1, SECRET)
    gathered.join(10)
    sent = [np.arange(6, dtype=np.int32).reshape(2, 3), np.array(True)]
    leader.send("first", sent)
    leader.send("second", [])
    leader.close()
    (first, arrays), (second, none) = follower
    assert (first, second, none) == ("first", "second", [])
    for array, expected in zip(arrays, sent, strict=True):
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)


def test_an_address_of_ipv6_serves_too() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
            address = probe.getsockname()[:2]
    except OSError:
        pytest.skip("this machine has no IPv6")
    with closing(Leader(address)) as leader:
        gathered = gathering(leader, 1)
        follower = Follower(address, 1, SECRET)
        gathered.join(10)
        leader.send("run", [])
    assert [name for name, _ in follower] == ["run"]


def test_silent_strangers_hold_nobody_up(leader: Leader, address) -> None:
    gathered = gathering(leader, 1)
    silent = [socket.create_connection(address) for _ in range(20)]
    started = time.monotonic()
    Follower(address, 1, SECRET)
    gathered.join(10)
    assert not gathered.is_alive()
    assert time.monotonic() - started < 5
    for stranger in silent:
        stranger.close()


@pytest.mark.parametrize(
    "hello",
    [
        (1).to_bytes(4, "big") + bytes(SECRET_BYTES),
        (7).to_bytes(4, "big") + SECRET,
        b"GET / HTTP/1.1\r\nHost: somewhere.example\r\n\r\n",
    ],
    ids=["another secret", "no such process", "a browser"],
)
def test_a_lying_stranger_takes_nobodys_place(leader: Leader, address, hello: bytes) -> None:
    gathered = gathering(leader, 1)
    with socket.create_connection(address) as stranger:
        stranger.sendall(hello)
        assert closed_by_peer(stranger)
    assert gathered.is_alive()
    follower = Follower(address, 1, SECRET)
    gathered.join(10)
    leader.send("run", [])
    leader.close()
    assert [name for name, _ in follower] == ["run"]


def test_a_place_is_taken_once(leader: Leader, address) -> None:
    gathered = gathering(leader, 2)
    Follower(address, 1, SECRET)
    with socket.create_connection(address) as second:
        second.sendall((1).to_bytes(4, "big") + SECRET)
        assert closed_by_peer(second)
    Follower(address, 2, SECRET)
    gathered.join(10)
    assert not gathered.is_alive()


def test_who_does_not_come_is_named(leader: Leader, address) -> None:
    with socket.create_connection(address) as second:
        second.sendall((2).to_bytes(4, "big") + SECRET)
        with pytest.raises(TimeoutError, match="process 1, 3 has not come"):
            leader.gather(3, SECRET, seconds=1)


def test_who_has_come_waits_as_long_as_process_0_for_the_others(leader: Leader, address) -> None:
    program = f"""
from grok_app.engine import channel
channel.LOST_AFTER = 1.0
print([name for name, _ in channel.Follower({address!r}, 1, {SECRET!r})])
"""
    gathered = gathering(leader, 2)
    early = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    wait_for = time.monotonic() + 30
    while not leader._peers:
        assert time.monotonic() < wait_for
        time.sleep(0.05)
    time.sleep(2.5)
    late = Follower(address, 2, SECRET)
    gathered.join(10)
    leader.send("run", [])
    leader.close()
    assert [name for name, _ in late] == ["run"]
    assert early.communicate(timeout=30)[0] == b"['run']\n"


def ended(program: str) -> str:
    """What a process that must end with an error says."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_a_follower_ends_where_process_0_is_not_understood() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak_nonsense() -> None:
            with server.accept()[0] as peer:
                peer.sendall((9).to_bytes(4, "big") + b"no JSON!!")
                while peer.recv(1 << 16):
                    pass

        speaker = threading.Thread(target=speak_nonsense)
        speaker.start()
        said = ended(
            "from grok_app.engine.channel import Follower\n"
            f"list(Follower({server.getsockname()!r}, 1, bytes(32)))"
        )
        speaker.join()
    assert "error: process 0 is not understood" in said


def test_process_0_says_which_other_one_has_closed(address) -> None:
    program = f"""
import threading, time
from grok_app.engine.channel import Follower, Leader
leader = Leader({address!r})
gathering = threading.Thread(target=leader.gather, args=(1, bytes(32)))
gathering.start()
follower = Follower({address!r}, 1, bytes(32))
gathering.join()
follower.close()
assert list(follower) == []
time.sleep(30)
"""
    assert "error: process 1 (at 127.0.0.1" in ended(program)


def test_a_follower_that_takes_nothing_in_is_dropped_in_the_middle_of_a_frame(address) -> None:
    """It still shows signs of life; what it got of the frame cannot be followed by another."""
    program = f"""
import socket, threading, time
import numpy as np
from grok_app.engine import channel
channel.LOST_AFTER = 2.0
leader = channel.Leader({address!r})
threading.Thread(target=leader.gather, args=(1, bytes(32)), daemon=True).start()
peer = socket.create_connection({address!r})
def beat():
    while True:
        peer.sendall(b"\\0")
        time.sleep(0.1)
peer.sendall((1).to_bytes(4, "big") + bytes(32))
threading.Thread(target=beat, daemon=True).start()
while not leader._peers:
    time.sleep(0.05)
leader.send("run", [np.zeros(100_000_000, np.uint8)])
time.sleep(30)
"""
    assert "error: process 1 (at 127.0.0.1" in ended(program)

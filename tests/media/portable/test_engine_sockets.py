"""One port on all addresses, read in batches, and nothing that comes or cannot go raises."""

from __future__ import annotations

import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from kernel.clock import Clock, SystemClock
from media.engine import Listening
from media.icevalues import Path
from media.portable.sockets import BATCH, LONGEST_DATAGRAM, SLICE, Bound, UdpSocket, bind
from tests.clocks import VirtualClock

LOOPBACKS = ("127.0.0.1", "::1")


def close(bound: Bound) -> None:
    for one in (*bound.udp, *bound.tcp):
        one.close()


class Listener:
    def __init__(self, host: str, clock: Clock | None = None) -> None:
        self.bound = bind(Listening((host,), 0, tcp=False))
        self.received: list[tuple[bytes, Path]] = []
        self.came: list[float] = []
        self.drops: Counter[str] = Counter()
        self.udp = UdpSocket(3, self.bound.udp[0], self.receive, self.drops, clock or SystemClock())

    def receive(self, data: memoryview, path: Path, now: float, came: float) -> None:
        assert came <= now
        self.received.append((bytes(data), path))
        self.came.append(came)


@pytest.fixture(params=LOOPBACKS)
def listener(request: pytest.FixtureRequest) -> Iterator[Listener]:
    made = Listener(request.param)
    yield made
    made.udp.close()


def sender(listener: Listener) -> socket.socket:
    bound = listener.bound.udp[0]
    made = socket.socket(bound.family, socket.SOCK_DGRAM)
    made.connect(bound.getsockname()[:2])
    made.settimeout(2)
    return made


def test_port_zero_is_one_free_port_for_udp_and_tcp_on_all_addresses() -> None:
    bound = bind(Listening(LOOPBACKS, 0))
    try:
        ports = {one.getsockname()[1] for one in (*bound.udp, *bound.tcp)}
        assert len(ports) == 1
        assert [one.host for one in bound.local] == list(LOOPBACKS)
        assert {one.port for one in bound.local} == ports
        assert [one.type for one in bound.tcp] == [socket.SOCK_STREAM] * 2
    finally:
        close(bound)


def test_a_taken_port_is_said_and_nothing_stays_bound() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            bind(Listening(("::1", "127.0.0.1"), port))
    close(bind(Listening(("::1", "127.0.0.1"), port)))


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match=r"media\.example"):
        bind(Listening(("media.example",), 0))
    with pytest.raises(ValueError, match="has an address"):
        bind(Listening((), 0))


def test_each_datagram_comes_with_the_path_it_came_by(listener: Listener) -> None:
    with sender(listener) as one:
        one.send(b"hello")
        listener.udp.read()
        host, port = one.getsockname()[:2]
    assert listener.received == [(b"hello", Path(3, host, port))]


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels are not asked for stamps")
def test_a_datagram_that_lay_in_the_kernel_came_when_it_came(listener: Listener) -> None:
    with sender(listener) as one:
        sent = []
        for _ in range(3):
            sent.append(time.monotonic())
            one.send(b"hello")
            time.sleep(0.05)
        listener.udp.read()
    assert listener.came == pytest.approx(sent, abs=0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not say")
def test_what_the_kernel_had_no_room_for_is_counted(listener: Listener) -> None:
    listener.bound.udp[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    with sender(listener) as one:
        for _ in range(2):
            for _ in range(100):
                one.send(bytes(1000))
            for _ in range(5):
                listener.udp.read()
        # The count comes with the next one that has room.
        one.send(b"hello")
        listener.udp.read()
    assert len(listener.received) + listener.drops["udp_overflow"] == 201
    assert listener.drops["udp_overflow"] > 100


def test_a_wake_up_reads_no_longer_than_its_slice(listener: Listener) -> None:
    def slow(data: memoryview, path: Path, now: float, came: float) -> None:
        listener.received.append((bytes(data), path))
        time.sleep(SLICE / 2)

    listener.udp._receive = slow
    with sender(listener) as one:
        for _ in range(20):
            one.send(b"hello")
        listener.udp.read()
    assert 1 <= len(listener.received) <= 3


def test_a_wake_up_reads_a_batch_and_no_more() -> None:
    # No time passes for it, however slow this machine is.
    listener = Listener("127.0.0.1", VirtualClock())
    with sender(listener) as one, closing(listener.udp):
        for _ in range(BATCH + 3):
            one.send(b"hello")
        listener.udp.read()
        assert len(listener.received) == BATCH
        listener.udp.read()
        assert len(listener.received) == BATCH + 3


def test_empty_and_oversized_datagrams_are_dropped_by_name(listener: Listener) -> None:
    with sender(listener) as one:
        for size in (0, LONGEST_DATAGRAM, LONGEST_DATAGRAM + 1, 30_000):
            one.send(bytes(size))
        listener.udp.read()
    assert [len(data) for data, _ in listener.received] == [LONGEST_DATAGRAM]
    assert listener.drops == {"datagram_empty": 1, "datagram_long": 2}


def test_what_is_sent_arrives_and_what_the_kernel_refuses_is_counted(listener: Listener) -> None:
    with sender(listener) as one:
        host, port = one.getsockname()[:2]
        assert listener.udp.send(b"hello", (host, port))
        assert one.recv(100) == b"hello"
        assert not listener.udp.send(bytes(70_000), (host, port))
    assert listener.drops == {"udp_send_failed": 1}


def test_a_run_arrives_as_the_datagrams_it_is_made_of(listener: Listener) -> None:
    with sender(listener) as one:
        address = one.getsockname()[:2]
        run = memoryview(b"a" * 1200 + b"b" * 1200 + b"c" * 700)
        assert listener.udp.send_run(run, 1200, address) == 3
        assert [one.recv(2000)[:1] for _ in range(3)] == [b"a", b"b", b"c"]
        assert listener.udp.send_run(run[:700], 700, address) == 1
        assert len(one.recv(2000)) == 700
        # On a kernel that cannot.
        listener.udp._segments = False
        assert listener.udp.send_run(run, 1200, address) == 3
        assert [len(one.recv(2000)) for _ in range(3)] == [1200, 1200, 700]
    assert listener.drops == {}


def test_a_run_that_no_message_holds_goes_one_by_one(listener: Listener) -> None:
    with sender(listener) as one:
        address = one.getsockname()[:2]
        assert listener.udp.send_run(memoryview(bytes(80_000)), 40_000, address) == 2
        assert [len(one.recv(50_000)) for _ in range(2)] == [40_000, 40_000]
        assert list(listener.udp._single) == [address]
    assert listener.drops == {}


def test_a_socket_without_room_drops_instead_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener("127.0.0.1")
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far, closing(listener.udp):
        near.setblocking(False)
        # A datagram socket whose reader does not read is the one that can be filled for certain.
        full = UdpSocket(1, near, listener.receive, listener.drops, SystemClock())
        monkeypatch.setattr(full, "_sendto", lambda data, _address: near.send(data))
        while full.send(bytes(1000), ("127.0.0.1", 9)):
            pass
    assert listener.drops == {"udp_full": 1}

"""What is kept of a stream for those who lose packets."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from media.codecs.opus import read_opus
from media.portable.cache import OLDEST, OVERHEAD, PacketCache
from media.portable.packet import Incoming
from tests.media.portable.publishing import OPUS

PART = read_opus(b"\x78", marker=False)


def incoming(number: int, arrived: float = 0.0, size: int = 100) -> Incoming:
    return Incoming(0, number, 0, False, OPUS, bytes(size), PART, 0, 0, {}, arrived)


def test_what_was_put_is_found_by_its_number() -> None:
    cache = PacketCache()
    first, second = incoming(65535), incoming(65536)
    cache.put(first)
    cache.put(second)
    assert cache.get(65535) is first
    assert cache.get(65536) is second
    assert cache.get(65537) is None


def test_what_is_older_than_two_seconds_goes() -> None:
    cache = PacketCache()
    cache.put(incoming(1, 0.0))
    cache.put(incoming(2, OLDEST))
    assert cache.get(1) is not None
    cache.put(incoming(3, OLDEST + 0.001))
    assert cache.get(1) is None
    assert cache.get(2) is not None


def test_beyond_its_bytes_the_oldest_go_first() -> None:
    cache = PacketCache(most_bytes=3 * (100 + OVERHEAD))
    for number in range(1, 5):
        cache.put(incoming(number))
    assert [number for number in range(6) if cache.get(number)] == [2, 3, 4]


def test_a_flood_of_tiny_packets_is_bounded_too() -> None:
    cache = PacketCache(most_bytes=100 * OVERHEAD)
    for number in range(10_000):
        cache.put(incoming(number, size=0))
    assert len(cache) == 100


def test_a_packet_larger_than_the_cache_leaves_it_empty() -> None:
    cache = PacketCache(most_bytes=1000)
    cache.put(incoming(1, size=2000))
    assert (len(cache), cache.bytes, cache.get(1)) == (0, 0, None)


def test_the_same_number_again_changes_nothing() -> None:
    cache = PacketCache()
    first = incoming(1)
    cache.put(first)
    cache.put(incoming(1, size=200))
    assert cache.get(1) is first
    assert cache.bytes == 100 + OVERHEAD


def test_cleared_it_has_nothing() -> None:
    cache = PacketCache()
    cache.put(incoming(1))
    cache.clear()
    assert (len(cache), cache.bytes, cache.get(1)) == (0, 0, None)


class PacketCacheMachine(RuleBasedStateMachine):
    """Beside a list of everything that was put, newest last."""

    most_bytes = 5000

    def __init__(self) -> None:
        super().__init__()
        self.cache = PacketCache(self.most_bytes)
        self.now = 0.0
        self.put: list[Incoming] = []

    @rule(number=st.integers(0, 60), size=st.integers(0, 1500))
    def receive(self, number: int, size: int) -> None:
        packet = incoming(number, self.now, size)
        if all(one.number != number for one in self.put):
            self.put.append(packet)
            self.put = [one for one in self.put if one.arrived >= self.now - OLDEST]
            while sum(len(one.payload) + OVERHEAD for one in self.put) > self.most_bytes:
                del self.put[0]
        self.cache.put(packet)

    @rule(seconds=st.floats(0, 1))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def it_holds_the_newest_that_fit(self) -> None:
        assert [self.cache.get(one.number) for one in self.put] == self.put
        assert len(self.cache) == len(self.put)
        assert self.cache.bytes == sum(len(one.payload) + OVERHEAD for one in self.put) <= self.most_bytes


TestPacketCacheMachine = PacketCacheMachine.TestCase

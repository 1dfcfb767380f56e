"""What happened waits in order, and wakes its reader once."""

from __future__ import annotations

from collections import Counter

from media.engine import ConsentLost, DtlsDatagram, Event, TransportId
from media.portable.events import MOST_DTLS, Events

ONE, OTHER = TransportId(1), TransportId(2)


class Reader:
    def __init__(self) -> None:
        self.woken = 0
        self.drops: Counter[str] = Counter()
        self.events = Events(self.wake, self.drops)

    def wake(self) -> None:
        self.woken += 1


def test_events_come_in_the_order_in_which_they_happened() -> None:
    reader = Reader()
    happened: list[Event] = [ConsentLost(ONE), DtlsDatagram(OTHER, b"hello"), ConsentLost(OTHER)]
    for event in happened:
        reader.events.add(event)
    assert [*reader.events.fetch(2), *reader.events.fetch(2)] == happened
    assert reader.events.fetch(10) == []


def test_a_reader_is_woken_once_until_it_has_fetched() -> None:
    reader = Reader()
    for _ in range(3):
        reader.events.add(ConsentLost(ONE))
    assert reader.woken == 1
    reader.events.fetch(10)
    reader.events.add(ConsentLost(ONE))
    assert reader.woken == 2


def test_a_reader_that_fetched_only_some_is_woken_for_the_rest() -> None:
    reader = Reader()
    for _ in range(3):
        reader.events.add(ConsentLost(ONE))
    reader.events.fetch(2)
    assert reader.woken == 2
    assert len(reader.events.fetch(2)) == 1
    assert reader.woken == 2


def test_a_flood_of_dtls_fills_only_the_share_of_its_transport() -> None:
    reader = Reader()
    for number in range(MOST_DTLS + 5):
        reader.events.add(DtlsDatagram(ONE, number.to_bytes(2, "big")))
    reader.events.add(DtlsDatagram(OTHER, b"hello"))
    assert reader.drops == {"dtls_overflow": 5}
    fetched = reader.events.fetch(1000)
    assert fetched[0] == DtlsDatagram(ONE, b"\x00\x00")
    assert fetched[-1] == DtlsDatagram(OTHER, b"hello")
    reader.events.add(DtlsDatagram(ONE, b"again"))
    assert reader.events.fetch(1) == [DtlsDatagram(ONE, b"again")]

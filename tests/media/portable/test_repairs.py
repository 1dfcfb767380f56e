"""What a subscriber gets who lost packets, and which it does not get."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.extensions import ExtensionName, write_send_time
from media.portable.repairs import MOST_AT_ONCE, SHORTEST_ROUND_TRIP, USUAL_ROUND_TRIP, Bounded, Pace
from media.rtcp.packets import ReportBlock
from media.rtp import Packet, unwrap_rtx
from tests.media.portable.slotfeeds import ANNE, BEN, RTX_SSRC, SSRC, Feed, Slot, numbers


def flowing(slot: Slot, feed: Feed) -> list[Packet]:
    slot.sink.assign(ANNE)
    return slot.offer(ANNE, *feed.key(), *feed.frame(packets=3))


def original(repair: Packet) -> Packet:
    return unwrap_rtx(repair, payload_type=120, ssrc=SSRC)


class TestRepairs:
    def test_a_lost_packet_goes_out_again_in_the_stream_of_repairs(self) -> None:
        slot = Slot()
        sent = flowing(slot, Feed())
        (repair,) = slot.repair(103)
        assert (repair.header.ssrc, repair.header.payload_type, repair.header.sequence) == (RTX_SSRC, 121, 5)
        assert original(repair).build() == sent[3].build()
        assert numbers(slot.repair(102, 104)) == [6, 7]
        assert slot.sink.stats().repaired == 3

    def test_it_is_what_was_sent_although_everything_is_numbered_otherwise_since(self) -> None:
        slot, anne, ben = Slot(first_number=65_533), Feed(), Feed(number=3, picture_id=9, tl0=200)
        sent = flowing(slot, anne)
        slot.sink.assign(BEN)
        sent += slot.offer(BEN, *ben.key(), *ben.frame())
        slot.allow((0, 0))
        sent += slot.offer(BEN, *ben.frame(temporal=1), *ben.frame())
        repairs = slot.repair(*numbers(sent))
        assert [original(one).build() for one in repairs] == [one.build() for one in sent]

    def test_the_send_time_is_that_of_the_repair(self) -> None:
        slot = Slot(extensions={ExtensionName.ABS_SEND_TIME: 2, ExtensionName.MID: 1})
        flowing(slot, Feed())
        slot.now = 101.0
        (repair,) = slot.repair(101)
        assert bytes(repair.extensions[2]) == write_send_time(101.0)
        assert bytes(repair.extensions[1]) == b"4"

    def test_once_in_a_round_trip(self) -> None:
        slot = Slot()
        flowing(slot, Feed())
        began = slot.now
        assert len(slot.repair(101)) == 1
        slot.now = began + USUAL_ROUND_TRIP - 0.01
        assert slot.repair(101) == []
        slot.now = began + USUAL_ROUND_TRIP + 0.001
        assert len(slot.repair(101)) == 1
        assert slot.drops == {"nack_repeated": 1}

    def test_the_round_trip_is_what_the_subscriber_reported(self) -> None:
        slot = Slot()
        flowing(slot, Feed())
        slot.sink.reports.round_trip = 0.4
        began = slot.now
        slot.repair(101)
        slot.now = began + 0.39
        assert slot.repair(101) == []
        slot.now = began + 0.401
        assert len(slot.repair(101)) == 1

    def test_numbers_that_were_never_given_are_counted(self) -> None:
        slot = Slot()
        assert slot.repair(100) == []
        flowing(slot, Feed())
        assert slot.repair(99, 105, 40_000) == []
        assert slot.drops == {"nack_unknown": 4}

    def test_what_the_cache_has_not_any_more_is_counted(self) -> None:
        slot = Slot()
        flowing(slot, Feed())
        slot.seen.clear()
        assert slot.repair(101) == []
        assert slot.drops == {"nack_not_cached": 1}

    def test_without_a_stream_of_repairs_nothing_is_sent_twice(self) -> None:
        slot = Slot(rtx_ssrc=None)
        flowing(slot, Feed())
        assert slot.repair(101) == []
        assert slot.drops == {"nack_without_rtx": 1}

    def test_what_was_never_sent_comes_under_its_own_number_even_without_one(self) -> None:
        slot, feed = Slot(rtx_ssrc=None), Feed()
        slot.sink.assign(ANNE)
        first, second = feed.key()
        slot.offer(ANNE, second)
        slot.offer(ANNE, first, *feed.frame())
        assert [(one.header.ssrc, one.header.sequence) for one in slot.repair(101)] == [(SSRC, 101)]
        assert slot.repair(101) == []

    def test_what_is_missing_here_too_is_sent_when_it_comes(self) -> None:
        slot, feed = Slot(), Feed()
        flowing(slot, feed)
        lost = feed.frame(packets=1)
        slot.offer(ANNE, *feed.frame())
        assert slot.repair(105) == []
        assert [(one.header.ssrc, one.header.sequence) for one in slot.offer(ANNE, *lost)] == [(SSRC, 105)]
        assert [one.header.ssrc for one in slot.repair(105)] == [RTX_SSRC]

    def test_filling_is_repaired_by_filling(self) -> None:
        slot, feed = Slot(), Feed()
        flowing(slot, feed)
        feed.number += 1
        slot.offer(ANNE, *feed.frame())
        assert slot.gap(ANNE, feed.number - 3) is not None
        (repair,) = slot.repair(105)
        assert bytes(repair.payload) == (105).to_bytes(2, "big")

    def test_the_former_source_is_repaired_after_the_slot_was_emptied(self) -> None:
        slot = Slot()
        flowing(slot, Feed())
        slot.sink.assign(None)
        assert len(slot.repair(104)) == 1

    def test_one_message_asks_for_so_much_and_no_more(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        slot.offer(ANNE, *feed.key(packets=2 * MOST_AT_ONCE))
        assert len(slot.repair(*range(100, 100 + 2 * MOST_AT_ONCE))) == MOST_AT_ONCE


class TestBounds:
    def test_the_oldest_number_gives_way(self) -> None:
        bounded = Bounded(2)
        for number in (1, 2, 3):
            bounded.add(number)
        assert [bounded.discard(number) for number in (1, 2, 3, 3)] == [False, True, True, False]

    def test_a_round_trip_of_nothing_is_not_believed(self) -> None:
        pace = Pace()
        assert pace.allows(1, 10.0, 0.0)
        assert not pace.allows(1, 10.0 + SHORTEST_ROUND_TRIP / 2, 0.0)

    @given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0, 0.3)), max_size=200))
    def test_no_number_goes_out_twice_within_a_round_trip(self, asked: list[tuple[int, float]]) -> None:
        pace, now, last = Pace(), 0.0, dict[int, float]()
        for number, passed in asked:
            now += passed
            if pace.allows(number, now, 0.2):
                assert now - last.get(number, -1.0) >= 0.2
                last[number] = now

    def test_a_subscriber_who_asks_for_everything_is_not_remembered_for_ever(self) -> None:
        pace, bounded = Pace(), Bounded()
        for number in range(10_000):
            pace.allows(number, float(number), 0.1)
            bounded.add(number)
        assert len(pace) <= 1024
        assert len(bounded) <= 1024


def test_reports_of_the_subscriber_are_its_figures() -> None:
    slot = Slot()
    slot.sink.heard(ReportBlock(SSRC, 64, 3, 105, 900, 0, 0), 100.0)
    assert slot.sink.stats().lost_fraction == 0.25
    assert slot.sink.reports.jitter == 0.01
    assert slot.sink.reports.round_trip is None

"""What flows into a slot, and under which numbers and times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from media.codecs.names import CodecName, Kind
from media.codecs.vp9 import parse_vp9
from media.engine import Layer
from media.portable.packet import Incoming
from media.rtp import Packet
from tests.media.portable.slotfeeds import ANNE, BEN, FRAME, Feed, Slot, Sound, numbers, pictures


def flowing(feed: Feed, slot: Slot | None = None) -> Slot:
    """With Anne's key frame sent."""
    slot = slot or Slot()
    slot.sink.assign(ANNE)
    slot.offer(ANNE, *feed.key())
    return slot


def vp9_key(feed: Feed) -> Incoming:
    payload = bytes.fromhex("8c80010a") + bytes(20)
    descriptor = parse_vp9(payload)
    template = feed.key(packets=1)[0]
    return replace(
        template, codec=CodecName.VP9, payload=payload, descriptor=descriptor, part=descriptor.part(marker=True)
    )


class TestAssignment:
    def test_nothing_flows_into_a_slot_that_nobody_is_assigned_to(self) -> None:
        slot = Slot()
        assert slot.offer(ANNE, *Feed().key()) == []
        assert slot.sink.flowing is None

    def test_a_picture_begins_with_a_key_frame(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        assert slot.offer(ANNE, *feed.frame(), *feed.key()[1:]) == []
        assert slot.sink.wanted_keyframes() == [(ANNE, 0)]
        assert numbers(slot.offer(ANNE, *feed.key(), *feed.frame())) == [100, 101, 102, 103]
        assert slot.sink.wanted_keyframes() == []
        assert slot.sink.flowing == (ANNE, 0)

    def test_what_is_sent_has_the_subscribers_ssrc_and_payload_type_and_the_publishers_payload(self) -> None:
        slot, feed = Slot(), Feed(has_ids=False)
        slot.sink.assign(ANNE)
        packets = feed.key()
        sent = slot.offer(ANNE, *packets)
        assert [(one.header.ssrc, one.header.payload_type) for one in sent] == [(7, 120)] * 2
        assert [one.header.marker for one in sent] == [False, True]
        assert [bytes(one.payload) for one in sent] == [one.payload for one in packets]

    def test_the_old_picture_flows_until_the_new_source_has_a_key_frame(self) -> None:
        anne, ben = Feed(), Feed(number=40)
        slot = flowing(anne)
        slot.sink.assign(BEN)
        assert slot.sink.needs == {ANNE, BEN}
        assert slot.offer(BEN, *ben.frame()) == []
        assert numbers(slot.offer(ANNE, *anne.frame())) == [102, 103]
        assert slot.sink.wanted_keyframes() == [(BEN, 0)]
        assert numbers(slot.offer(BEN, *ben.key())) == [104, 105]
        assert slot.offer(ANNE, *anne.frame()) == []
        assert slot.sink.flowing == (BEN, 0)
        assert slot.sink.needs == {BEN}

    def test_sound_changes_at_once(self) -> None:
        slot, anne, ben = Slot(Kind.AUDIO), Sound(), Sound(number=9000)
        slot.sink.assign(ANNE)
        assert numbers(slot.offer(ANNE, anne.packet(), anne.packet())) == [100, 101]
        slot.sink.assign(BEN)
        assert slot.offer(ANNE, anne.packet()) == []
        assert numbers(slot.offer(BEN, ben.packet())) == [102]
        assert slot.sink.wanted_keyframes() == []

    def test_a_slot_that_is_emptied_is_silent_at_once_although_numbers_are_missing(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        slot.offer(ANNE, feed.frame()[1])
        assert slot.sink.switched() == (ANNE, Layer(0, 0))
        slot.sink.assign(None)
        assert slot.offer(ANNE, *feed.frame(), *feed.key()) == []
        assert slot.sink.switched() == (None, None)

    def test_who_is_assigned_again_before_the_other_began_goes_on(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        slot.sink.assign(BEN)
        slot.sink.assign(ANNE)
        assert numbers(slot.offer(ANNE, *feed.frame())) == [102, 103]
        assert slot.sink.wanted_keyframes() == []

    def test_an_empty_slot_is_filled_again_at_a_key_frame_and_goes_on_counting(self) -> None:
        anne, ben = Feed(), Feed(number=0)
        slot = flowing(anne)
        slot.sink.assign(None)
        slot.sink.assign(BEN)
        assert slot.offer(BEN, *ben.frame()) == []
        assert numbers(slot.offer(BEN, *ben.key())) == [102, 103]

    def test_a_source_that_ends_leaves_the_slot_empty(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        slot.sink.forget(BEN)
        assert slot.sink.flowing == (ANNE, 0)
        slot.sink.forget(ANNE)
        assert slot.sink.needs == frozenset()

    def test_a_source_that_ends_while_another_is_awaited_stops(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        slot.sink.assign(BEN)
        slot.sink.forget(ANNE)
        assert slot.offer(ANNE, *feed.frame()) == []
        assert slot.sink.assigned == BEN

    def test_a_paused_slot_sends_nothing_and_goes_on_at_a_key_frame(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        slot.sink.pause(paused=True)
        assert slot.offer(ANNE, *feed.frame(), *feed.key()) == []
        assert slot.sink.wanted_keyframes() == []
        slot.sink.pause(paused=False)
        assert slot.offer(ANNE, *feed.frame()) == []
        assert slot.sink.wanted_keyframes() == [(ANNE, 0)]
        assert numbers(slot.offer(ANNE, *feed.key())) == [102, 103]

    def test_a_stream_that_began_anew_is_taken_up_at_its_key_frame(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        slot.sink.interrupt(ANNE, 0)
        feed.number += 70_000
        feed.timestamp = 3
        assert slot.offer(ANNE, *feed.frame()) == []
        sent = slot.offer(ANNE, *feed.key())
        assert numbers(sent) == [102, 103]
        assert sent[0].header.timestamp == 500_000 + 2 * FRAME

    def test_what_flows_is_told_once(self) -> None:
        slot = flowing(Feed())
        assert slot.sink.switched() == (ANNE, Layer(0, 0))
        assert slot.sink.switched() is None


class TestCodecs:
    def test_a_codec_that_the_subscriber_does_not_have_is_not_sent_and_not_asked_for(self) -> None:
        slot, feed = Slot(payload_types={CodecName.VP9: (98, 99)}), Feed()
        slot.sink.assign(ANNE)
        assert slot.offer(ANNE, *feed.key()) == []
        assert slot.drops == {"codec_not_negotiated": 2}
        assert slot.sink.wanted_keyframes() == []

    def test_it_does_not_leave_somebody_elses_picture_standing(self) -> None:
        anne, ben = Feed(), Feed()
        slot = flowing(anne, Slot(payload_types={CodecName.VP8: (96, 97)}))
        slot.sink.assign(BEN)
        assert slot.offer(BEN, vp9_key(ben)) == []
        assert slot.sink.flowing is None

    def test_the_codec_may_change_within_a_slot_at_a_key_frame(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        sent = slot.offer(ANNE, vp9_key(feed))
        assert [(one.header.payload_type, one.header.sequence) for one in sent] == [(98, 102)]
        assert sent[0].header.timestamp == 500_000 + FRAME
        assert [one.header.payload_type for one in slot.offer(ANNE, *feed.key())] == [120, 120]

    def test_another_codec_without_its_key_frame_stops_what_flows(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        delta = replace(vp9_key(feed), part=replace(vp9_key(Feed()).part, is_keyframe=False))
        assert slot.offer(ANNE, delta) == []
        assert slot.sink.wanted_keyframes() == [(ANNE, 0)]


class TestTimestamps:
    @pytest.mark.parametrize("waited", [0.02, 1.0, 10.0])
    def test_a_switch_goes_on_by_the_clock_on_the_wall(self, waited: float) -> None:
        anne = Feed()
        slot = flowing(anne)
        ben = Feed(timestamp=77, at=100.0 + waited)
        slot.sink.assign(BEN)
        sent = slot.offer(BEN, *ben.key(), *ben.frame())
        assert sent[0].header.timestamp == 500_000 + waited * 90_000
        assert sent[2].header.timestamp - sent[0].header.timestamp == FRAME

    def test_sound_goes_on_in_whole_packets(self) -> None:
        slot, anne, ben = Slot(Kind.AUDIO), Sound(), Sound(timestamp=12_345, at=100.133)
        slot.sink.assign(ANNE)
        slot.offer(ANNE, anne.packet())
        slot.sink.assign(BEN)
        sent = slot.offer(BEN, ben.packet())
        assert sent[0].header.timestamp - 96_000 == 7 * 960

    def test_time_goes_on_although_both_came_at_one_moment(self) -> None:
        anne = Feed()
        slot = flowing(anne)
        last = slot.offer(ANNE, *anne.frame())[-1]
        ben = Feed(timestamp=0xFFFFFFFF, at=anne.at - 1.0)
        slot.sink.assign(BEN)
        sent = slot.offer(BEN, *ben.key())
        assert 0 < sent[0].header.timestamp - last.header.timestamp <= FRAME

    def test_timestamps_wrap_with_the_source(self) -> None:
        slot, feed = Slot(), Feed(timestamp=(1 << 32) - FRAME)
        slot.sink.assign(ANNE)
        sent = slot.offer(ANNE, *feed.key(packets=1), *feed.frame(packets=1))
        assert [one.header.timestamp for one in sent] == [(1 << 32) - FRAME, 0]


class TestNumbers:
    def test_numbers_wrap(self) -> None:
        slot, feed = Slot(first_number=65_534), Feed()
        slot.sink.assign(ANNE)
        assert numbers(slot.offer(ANNE, *feed.key(packets=4))) == [65_534, 65_535, 0, 1]

    def test_what_was_lost_on_the_way_here_stays_a_hole(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        feed.frame()
        assert numbers(slot.offer(ANNE, *feed.frame())) == [104, 105]

    def test_a_late_packet_has_its_own_number_once(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        first, second, third = feed.frame(packets=3)
        assert numbers(slot.offer(ANNE, first, third, second, second)) == [102, 104, 103]
        assert slot.drops == {"sink_duplicate": 1}

    def test_padding_of_the_publisher_leaves_no_hole(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        assert slot.gap(ANNE, feed.number) is None
        feed.number += 1
        assert numbers(slot.offer(ANNE, *feed.frame())) == [102, 103]

    def test_nor_does_it_when_the_layers_are_looked_at_meanwhile(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        slot.gap(ANNE, feed.number)
        slot.tick()
        feed.number += 1
        assert numbers(slot.offer(ANNE, *feed.frame())) == [102, 103]

    def test_a_number_that_was_passed_before_it_was_known_to_be_padding_is_filled(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        feed.number += 1
        slot.offer(ANNE, *feed.frame())
        filling = slot.gap(ANNE, feed.number - 3)
        assert filling is not None
        assert filling.header.sequence == 102
        assert (filling.padding, bytes(filling.payload)) == (1, b"")
        assert slot.gap(ANNE, feed.number - 3) is None

    def test_late_packets_of_the_part_before_a_switch_are_sent_and_later_ones_are_not(self) -> None:
        anne, ben = Feed(), Feed(number=5)
        slot = flowing(anne)
        first, second, third = anne.frame(packets=3)
        slot.offer(ANNE, first, third)
        slot.sink.assign(BEN)
        assert numbers(slot.offer(BEN, *ben.key())) == [105, 106]
        assert numbers(slot.offer(ANNE, second)) == [103]
        assert slot.offer(ANNE, *anne.frame()) == []

    def test_a_source_that_comes_back_has_not_its_old_numbers(self) -> None:
        anne, ben = Feed(), Feed(number=5)
        slot = flowing(anne)
        slot.sink.assign(BEN)
        slot.offer(BEN, *ben.key())
        slot.sink.assign(ANNE)
        assert numbers(slot.offer(ANNE, *anne.key())) == [104, 105]

    def test_an_old_key_frame_that_is_repaired_is_not_gone_back_to(self) -> None:
        anne, ben = Feed(), Feed(number=5)
        slot = flowing(anne)
        late, *rest = anne.key(packets=3)
        slot.offer(ANNE, *rest)
        slot.sink.assign(BEN)
        slot.offer(BEN, *ben.key())
        slot.sink.assign(ANNE)
        assert numbers(slot.offer(ANNE, late)) == [102]
        assert slot.sink.flowing == (BEN, 0)

    def test_a_key_frame_whose_first_packet_was_repaired_is_taken_up_and_the_rest_is_had_from_the_cache(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        first, *rest = feed.key(packets=3)
        behind = feed.frame()
        assert slot.offer(ANNE, *rest, *behind) == []
        assert numbers(slot.offer(ANNE, first)) == [100]
        assert numbers(slot.offer(ANNE, *feed.frame())) == [105, 106]
        again = slot.repair(101, 102, 103, 104)
        assert numbers(again) == [101, 102, 103, 104]
        assert {one.header.ssrc for one in again} == {7}, "none of them was sent before"

    def test_padding_before_a_repaired_key_frame_leaves_no_hole(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        first, second = feed.key()
        slot.offer(ANNE, second)
        slot.gap(ANNE, feed.number)
        feed.number += 1
        slot.offer(ANNE, first)
        assert numbers(slot.offer(ANNE, *feed.frame())) == [102, 103]

    def test_a_key_frame_far_behind_is_not_begun_with(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        first, second = feed.key()
        slot.offer(ANNE, second, *feed.frame(packets=200))
        assert slot.offer(ANNE, first) == []

    def test_padding_of_an_ended_turn_changes_nothing(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        slot.offer(ANNE, feed.frame()[1])
        slot.sink.interrupt(ANNE, 0)
        assert slot.gap(ANNE, feed.number) is None
        feed.number += 1
        assert numbers(slot.offer(ANNE, *feed.key(), *feed.frame())) == [104, 105, 106, 107]


class TestPictures:
    def test_numbers_of_pictures_go_on_over_a_switch(self) -> None:
        anne, ben = Feed(picture_id=0x7FFF, tl0=254), Feed(picture_id=0x40, tl0=3)
        slot = flowing(anne)
        before = slot.offer(ANNE, *anne.frame())
        slot.sink.assign(BEN)
        after = slot.offer(BEN, *ben.key(), *ben.frame())
        assert pictures([*before, *after]) == [(0, 0), (0, 0), (1, 1), (1, 1), (2, 2), (2, 2)]

    def test_two_sources_with_the_same_numbers_are_told_apart(self) -> None:
        slot = flowing(Feed())
        slot.sink.assign(BEN)
        ben = Feed(at=101.0)
        assert pictures(slot.offer(BEN, *ben.key(), *ben.frame())) == [(0x101, 12)] * 2 + [(0x102, 13)] * 2

    def test_they_go_on_from_what_was_sent_last_although_it_came_late(self) -> None:
        anne, ben = Feed(), Feed(number=5)
        slot = flowing(anne)
        base, upper = anne.frame(), anne.frame(temporal=1)
        slot.allow((0, 0))
        slot.offer(ANNE, *upper, *base)
        slot.sink.assign(BEN)
        assert pictures(slot.offer(BEN, *ben.key())) == [(0x102, 13)] * 2

    def test_a_lost_picture_leaves_its_id(self) -> None:
        feed = Feed()
        slot = flowing(feed)
        feed.frame()
        assert pictures(slot.offer(ANNE, *feed.frame())) == [(0x102, 13)] * 2

    def test_a_source_without_them_has_none(self) -> None:
        slot, feed = Slot(), Feed(has_ids=False)
        slot.sink.assign(ANNE)
        assert pictures(slot.offer(ANNE, *feed.key())) == [(None, None)] * 2


def test_figures_are_of_what_was_sent() -> None:
    feed = Feed()
    slot = flowing(feed)
    slot.offer(ANNE, *feed.frame())
    slot.sink.refresh()
    stats = slot.sink.stats()
    assert (stats.source, stats.layer, stats.packets, stats.keyframe_requests) == (ANNE, Layer(0, 0), 4, 1)
    assert stats.bytes == sum(len(one.payload) for one in slot.seen.values())


def test_a_subscribers_wish_for_a_key_frame_holds_until_one_is_sent() -> None:
    feed = Feed()
    slot = flowing(feed)
    slot.sink.refresh()
    slot.offer(ANNE, *feed.frame())
    assert slot.sink.wanted_keyframes() == [(ANNE, 0)]
    slot.offer(ANNE, *feed.key())
    assert slot.sink.wanted_keyframes() == []


def test_the_wish_of_an_empty_slot_means_nothing() -> None:
    slot = Slot()
    slot.sink.refresh()
    assert slot.sink.wanted_keyframes() == []
    assert slot.sink.stats().keyframe_requests == 0


def test_parsing_what_is_sent_finds_nothing_but_the_payload() -> None:
    slot, feed = Slot(), Feed()
    slot.sink.assign(ANNE)
    sent = slot.offer(ANNE, *feed.key())[0]
    assert Packet.parse(sent.build()).extensions == {}

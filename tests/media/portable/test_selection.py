"""Which layer of a source flows: the choice itself, and slots between simulcast encodings and temporal layers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from media.engine import Layer
from media.portable.packet import Incoming
from media.portable.selection import EVERYTHING, Flow, Limits, aimed, brings_nearer, limits_in_stream
from tests.media.portable.slotfeeds import ANNE, BEN, Feed, Slot, numbers, pictures

LADDER = [Layer(0, 0), Layer(0, 2), Layer(1, 2), Layer(2, 2)]


@pytest.mark.parametrize(
    ("allowed", "flowing", "expected"),
    [
        (LADDER, [0, 1, 2], Layer(2, 2)),
        (LADDER[:3], [0, 1, 2], Layer(1, 2)),
        (LADDER, [0, 1], Layer(1, 2)),
        (LADDER, [0], Layer(0, 2)),
        (LADDER, [], Layer(2, 2)),
        ([], [0, 1], Layer(1, 7)),
        ([], [], EVERYTHING),
        ([Layer(2, 1)], [0, 1], Layer(1, 1)),
        ([Layer(0, 1)], [1, 2], Layer(1, 1)),
    ],
)
def test_the_highest_allowed_layer_that_flows_is_aimed_at(
    allowed: list[Layer], flowing: list[int], expected: Layer
) -> None:
    assert aimed(allowed, flowing) == expected


@pytest.mark.parametrize(
    ("spatial", "current", "aim", "expected"),
    [(1, 0, 2, True), (2, 0, 2, True), (0, 0, 2, False), (2, 0, 1, False), (1, 2, 0, True), (0, 2, 1, False)],
)
def test_a_switch_on_the_way_is_taken(spatial: int, current: int, aim: int, expected: bool) -> None:
    assert brings_nearer(spatial, current=current, aim=aim) is expected


def test_a_layer_flows_until_it_was_silent_for_a_while() -> None:
    flow = Flow()
    packet = Feed(stream=2, at=10.0).key()[0]
    flow.saw(packet)
    assert flow.layers(10.5) == [2]
    assert flow.layers(10.7) == []


class TestLimits:
    def at(self, number: int, *, temporal: int = 0, sync: bool = False, key: bool = False) -> Incoming:
        feed = Feed(number=number, timestamp=number * 100)
        return feed.frame(key=key, temporal=temporal, sync=sync)[0]

    def test_layers_are_left_at_once_and_taken_up_one_by_one_where_nothing_older_is_needed(self) -> None:
        limits = Limits(0, 2)
        limits.aim(0, 0)
        assert limits.enter(self.at(1))
        assert limits.temporal == 0
        limits.aim(0, 2)
        for number, temporal, sync in ((2, 2, True), (3, 1, False), (4, 0, False)):
            assert not limits.enter(self.at(number, temporal=temporal, sync=sync))
        assert limits.enter(self.at(5, temporal=1, sync=True))
        assert limits.enter(self.at(6, temporal=2, sync=True))
        assert limits.is_settled

    def test_a_key_frame_takes_everything_up(self) -> None:
        limits = Limits(0, 0)
        limits.aim(2, 2)
        assert limits.awaits_keyframe
        limits.enter(self.at(1, key=True))
        assert (limits.spatial, limits.temporal) == (2, 2)

    def test_the_rest_of_a_frame_whose_first_packet_is_missing_takes_nothing_up(self) -> None:
        limits = Limits(0, 0)
        limits.aim(0, 1)
        rest = Feed().frame(temporal=1, sync=True)[1]
        assert not limits.enter(rest)

    def test_late_packets_are_decided_by_the_limits_of_their_picture(self) -> None:
        limits = Limits(0, 2)
        limits.aim(0, 0)
        first, second = Feed(number=50, timestamp=1).frame(temporal=2)
        limits.enter(second)
        assert not limits.admits(first), "its picture began with the packet behind it"
        assert limits.admits(self.at(49, temporal=2))
        assert limits.changed_at(first)

    def test_a_scalable_stream_keeps_its_limit_when_an_upper_layer_pauses(self) -> None:
        flow = Flow()
        flow.saw(Feed().key()[0])
        assert limits_in_stream(LADDER, Layer(0, 2), flow, stream=0, spatial=0) == (2, 2)

    def test_an_encoding_of_its_own_has_no_spatial_limit(self) -> None:
        flow = Flow()
        flow.saw(Feed(stream=1).key()[0])
        assert limits_in_stream([Layer(0, 0), Layer(1, 1)], Layer(1, 1), flow, stream=1, spatial=1) == (7, 1)

    def test_while_another_encoding_is_awaited_the_ladder_holds_for_the_one_that_flows(self) -> None:
        flow = Flow()
        flow.saw(Feed(stream=1).key()[0])
        assert limits_in_stream([Layer(0, 0), Layer(1, 2)], Layer(1, 2), flow, stream=0, spatial=0) == (1, 0)


class TestSimulcast:
    def start(self, *allowed: tuple[int, int]) -> tuple[Slot, list[Feed]]:
        slot, feeds = Slot(), [Feed(stream=at, number=1000 * at, timestamp=7 * at) for at in range(3)]
        slot.sink.assign(ANNE)
        slot.allow(*allowed)
        self.all(slot, feeds, key=True)
        slot.tick()
        return slot, feeds

    def all(self, slot: Slot, feeds: list[Feed], *, key: bool = False) -> list[int]:
        """The streams that packets were sent of."""
        sent = []
        for feed in feeds:
            packets = feed.key() if key else feed.frame()
            sent += [feed.stream for one in packets if slot.offer(ANNE, one)]
        return sent

    def test_whatever_key_frame_comes_first_begins_and_the_next_ones_lead_up(self) -> None:
        slot, _ = self.start()
        assert slot.sink.flowing == (ANNE, 2)
        assert slot.sink.layer == Layer(2, 0)

    def test_an_encoding_above_what_is_allowed_is_not_begun_with(self) -> None:
        slot, feeds = self.start((0, 0), (1, 2))
        assert slot.sink.flowing == (ANNE, 1)
        assert self.all(slot, feeds) == [1, 1]

    def test_up_and_down_at_key_frames_of_the_target_only(self) -> None:
        slot, feeds = self.start((0, 0))
        slot.allow((0, 0), (2, 2))
        assert slot.sink.wanted_keyframes() == [(ANNE, 2)]
        assert self.all(slot, feeds) == [0, 0]
        assert slot.offer(ANNE, *feeds[0].key()) != []
        assert slot.sink.wanted_keyframes() == [(ANNE, 2)]
        assert self.all(slot, feeds[2:], key=True) == [2, 2]
        assert slot.sink.wanted_keyframes() == []
        slot.allow((0, 0))
        assert self.all(slot, feeds) == [2, 2], "the old one flows until then"
        assert self.all(slot, feeds[:1], key=True) == [0, 0]

    def test_numbers_go_on_and_time_follows_the_clock_across_encodings(self) -> None:
        slot, feeds = self.start((0, 0))
        slot.allow((0, 0), (1, 0))
        before = slot.offer(ANNE, *feeds[0].frame())
        feeds[1].at = feeds[0].at
        after = slot.offer(ANNE, *feeds[1].key())
        assert numbers(after) == [number + 2 for number in numbers(before)]
        assert after[0].header.timestamp - before[0].header.timestamp == 3000

    def test_an_encoding_that_its_publisher_pauses_is_left_for_the_highest_that_flows(self) -> None:
        slot, feeds = self.start()
        for _ in range(25):
            self.all(slot, feeds[:2])
        slot.tick()
        assert slot.sink.wanted_keyframes() == [(ANNE, 1)]
        assert self.all(slot, feeds[:2], key=True) == [1, 1]
        feeds[2].at = feeds[1].at
        assert self.all(slot, feeds) == [1, 1]
        slot.tick()
        assert slot.sink.wanted_keyframes() == [(ANNE, 2)]

    def test_the_engines_own_step_down_holds_until_it_is_lifted(self) -> None:
        slot, feeds = self.start((0, 2), (1, 2), (2, 2))
        slot.sink.limit(0, slot.now)
        assert slot.sink.wanted_keyframes() == [(ANNE, 0)]
        self.all(slot, feeds, key=True)
        assert slot.sink.flowing == (ANNE, 0)
        slot.allow((0, 2), (1, 2), (2, 2))
        assert slot.sink.wanted_keyframes() == []
        slot.sink.limit(None, slot.now)
        assert slot.sink.wanted_keyframes() == [(ANNE, 2)]

    def test_a_new_person_is_asked_for_the_encoding_that_is_wanted(self) -> None:
        slot, _ = self.start((0, 0), (1, 2))
        slot.sink.assign(BEN)
        ben = [Feed(stream=at, at=slot.now) for at in range(3)]
        for feed in ben:
            assert slot.offer(BEN, *feed.frame()) == []
        slot.tick()
        assert slot.sink.wanted_keyframes() == [(BEN, 1)]


class TestTemporalLayers:
    def test_pictures_of_layers_that_are_left_out_leave_no_trace(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        slot.allow((0, 0))
        sent = slot.offer(ANNE, *feed.key(packets=1))
        for temporal in (2, 1, 2, 0, 2, 1, 2, 0):
            sent += slot.offer(ANNE, *feed.frame(temporal=temporal, packets=1))
        assert numbers(sent) == [100, 101, 102]
        assert pictures(sent) == [(0x100, 11), (0x101, 12), (0x102, 13)]
        assert [one.header.timestamp for one in sent] == [500_000, 512_000, 524_000]

    def test_they_are_left_at_the_next_picture_and_not_within_one(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        slot.offer(ANNE, *feed.key())
        first, second = feed.frame(temporal=2)
        assert slot.offer(ANNE, first)
        slot.allow((0, 0))
        assert slot.offer(ANNE, second)
        assert slot.offer(ANNE, *feed.frame(temporal=2)) == []

    def test_they_are_taken_up_at_their_sync_frames(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        slot.allow((0, 0))
        slot.offer(ANNE, *feed.key())
        slot.allow((0, 0), (0, 2))
        assert slot.offer(ANNE, *feed.frame(temporal=1)) == []
        assert slot.offer(ANNE, *feed.frame(temporal=1, sync=True)) != []
        assert slot.sink.layer == Layer(0, 1)
        assert slot.offer(ANNE, *feed.frame(temporal=2)) == []
        assert slot.offer(ANNE, *feed.frame(temporal=2, sync=True)) != []
        assert slot.offer(ANNE, *feed.frame(temporal=2)) != []
        assert slot.sink.layer == Layer(0, 2)
        assert slot.sink.wanted_keyframes() == []

    def test_a_late_packet_of_a_layer_that_was_left_out_is_filled_not_sent(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        slot.allow((0, 0))
        slot.offer(ANNE, *feed.key())
        late = feed.frame(temporal=2, packets=1)
        slot.offer(ANNE, *feed.frame())
        filling = slot.offer(ANNE, *late)
        assert [(one.header.sequence, bytes(one.payload)) for one in filling] == [(102, b"")]
        assert filling[0].header.timestamp == late[0].timestamp

    def test_a_late_packet_of_the_highest_number_is_left_out_without_a_trace(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        slot.allow((0, 0))
        slot.offer(ANNE, *feed.key())
        first, second = feed.frame(temporal=2)
        assert slot.offer(ANNE, second, first) == []
        assert numbers(slot.offer(ANNE, *feed.frame())) == [102, 103]

    def test_a_base_layer_picture_that_comes_behind_one_that_was_left_out_is_sent(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        slot.allow((0, 0))
        slot.offer(ANNE, *feed.key())
        base, upper = feed.frame(packets=1), feed.frame(temporal=2, packets=1)
        assert numbers(slot.offer(ANNE, *upper, *base)) == [102]
        assert numbers(slot.offer(ANNE, *feed.frame())) == [103, 104]


def test_more_encodings_than_there_can_be_layers_are_not_sent() -> None:
    slot, feed = Slot(), Feed(stream=8)
    slot.sink.assign(ANNE)
    assert slot.offer(ANNE, *feed.key()) == []
    assert slot.drops == {"sink_too_many_layers": 2}


def test_a_packet_may_say_that_it_is_of_a_layer_that_was_never_announced() -> None:
    slot, feed = Slot(), Feed()
    slot.sink.assign(ANNE)
    slot.allow((0, 0))
    slot.offer(ANNE, *feed.key())
    assert slot.offer(ANNE, *(replace(one, spatial=3) for one in feed.frame())) == []
    assert numbers(slot.offer(ANNE, *feed.frame())) == [102, 103]

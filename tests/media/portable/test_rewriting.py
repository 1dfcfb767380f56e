"""Header extensions and dependency descriptors as subscribers get them; and what browsers sent, through a slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from media import dependency
from media.codecs.names import CodecName, Kind
from media.codecs.vp9 import parse_vp9
from media.engine import SourceFormat
from media.extensions import ExtensionName, write_send_time
from media.portable.packet import Gap, Incoming
from media.portable.rewriting import Layouts
from media.portable.source import Source
from media.rtp import Packet
from tests.media.captures import load
from tests.media.portable.slotfeeds import ANNE, BEN, Feed, Slot, Sound, numbers

MID, STAMP, LEVEL, TURNED, DEPENDENCY = 1, 2, 3, 4, 5
ALL = {
    ExtensionName.MID: MID,
    ExtensionName.ABS_SEND_TIME: STAMP,
    ExtensionName.AUDIO_LEVEL: LEVEL,
    ExtensionName.ORIENTATION: TURNED,
    ExtensionName.TRANSPORT_CC: 9,
}
WITH_DEPENDENCY = {**ALL, ExtensionName.DEPENDENCY_DESCRIPTOR: DEPENDENCY}


class TestExtensions:
    def sound(self, *levels: int | None) -> list[Packet]:
        slot, feed = Slot(Kind.AUDIO, ALL, mid="12"), Sound()
        slot.sink.assign(ANNE)
        return slot.offer(ANNE, *(feed.packet(level) for level in levels))

    def test_every_packet_says_the_slots_mid_and_when_it_was_sent(self) -> None:
        for at, packet in enumerate(self.sound(30, 31, None)):
            assert bytes(packet.extensions[MID]) == b"12"
            assert bytes(packet.extensions[STAMP]) == write_send_time(100.0 + 0.02 * at)

    def test_what_the_publisher_said_is_passed_on_packet_by_packet(self) -> None:
        said = [packet.extensions.get(LEVEL) for packet in self.sound(30, None, 127, 30)]
        assert [None if one is None else bytes(one) for one in said] == [b"\x1e", None, b"\x7f", b"\x1e"]

    def test_blocks_have_one_size_whatever_is_said(self) -> None:
        assert len({len(packet.extension_block) for packet in self.sound(30, None, 31)}) == 1

    def test_nothing_is_written_that_was_not_negotiated(self) -> None:
        slot, feed = Slot(), Feed()
        slot.sink.assign(ANNE)
        said = {ExtensionName.ORIENTATION: b"\x01"}
        assert [len(one.extension_block) for one in slot.offer(ANNE, *feed.frame(key=True, extensions=said))] == [0, 0]

    def test_the_transports_own_count_has_no_place(self) -> None:
        slot = Slot(extensions={ExtensionName.TRANSPORT_CC: 9})
        slot.sink.assign(ANNE)
        assert len(slot.offer(ANNE, *Feed().key())[0].extension_block) == 0

    def test_ids_above_fourteen_take_the_long_form(self) -> None:
        slot = Slot(extensions={ExtensionName.MID: 16, ExtensionName.ABS_SEND_TIME: 3}, mid="video")
        slot.sink.assign(ANNE)
        packet = slot.offer(ANNE, *Feed().key())[0]
        assert {number: bytes(value) for number, value in packet.extensions.items()} == {
            16: b"video",
            3: write_send_time(100.0),
        }

    def test_slots_with_the_same_extensions_share_their_blocks(self) -> None:
        layouts = Layouts()
        assert layouts.blocks(ALL, "1") is layouts.blocks(dict(ALL), "2")
        assert layouts.blocks(ALL, "1") is not layouts.blocks(ALL, "10")

    def test_two_slots_in_turn_do_not_mix_their_packets(self) -> None:
        layouts = Layouts()
        blocks = layouts.blocks(ALL, "1")
        seen = []
        for level in (b"\x01", b"\x02", b"\x01"):
            blocks.take({ExtensionName.AUDIO_LEVEL: level})
            seen.append(blocks.rest)
        assert seen[0] == seen[2] != seen[1]


@dataclass
class Played:
    """A capture through a source and one slot."""

    slot: Slot
    incoming: list[Incoming]
    sent: list[tuple[Incoming, Packet]]


def results(name: str) -> Iterator[Incoming | Gap]:
    capture = load(name)
    about = capture.about
    streams = sorted((one for one in about.sent), key=lambda one: one.width)
    kind = Kind.AUDIO if CodecName.OPUS in about.payload_types.values() else Kind.VIDEO
    rids = [one.rid for one in streams if one.rid]
    extensions = {number: extension for extension, number in capture.extension_ids.items()}
    source = Source(SourceFormat("0", kind, about.payload_types, about.repairs, rids, extensions=extensions), Counter())
    for index, stream in enumerate(streams):
        source.bind(stream.ssrc, index, 0.0, repair=False)
    for one in capture.packets:
        if not one.is_rtcp:
            for result in source.receive(Packet.parse(one.data), one.at):
                if isinstance(result, Incoming | Gap):
                    yield result


def played(name: str, *allowed: tuple[int, int], slot: Slot | None = None) -> Played:
    slot = slot or Slot(extensions=WITH_DEPENDENCY, now=0.0)
    slot.sink.assign(ANNE)
    slot.allow(*allowed)
    done = Played(slot, [], [])
    for result in results(name):
        if isinstance(result, Gap):
            assert slot.gap(ANNE, result.number, result.stream) is None
            continue
        done.incoming.append(result)
        done.sent += [(result, packet) for packet in slot.offer(ANNE, result)]
    return done


def chosen(done: Played, spatial: int, temporal: int) -> list[Incoming]:
    return [one for one in done.incoming if one.spatial <= spatial and one.temporal <= temporal]


LAYERS = [
    pytest.param(spatial, temporal, extensions, id=f"{spatial}-{temporal}-{told_by}")
    for spatial in range(3)
    for temporal in range(3)
    for told_by, extensions in (("dependency", WITH_DEPENDENCY), ("payload", ALL))
]


class TestScalableStreams:
    @pytest.mark.parametrize(("spatial", "temporal", "extensions"), LAYERS)
    def test_all_of_the_layers_that_are_allowed_is_sent_and_nothing_else(
        self, spatial: int, temporal: int, extensions: Mapping[ExtensionName, int]
    ) -> None:
        done = played("vp9_svc", (spatial, temporal), slot=Slot(extensions=extensions, now=0.0))
        assert [one for one, _ in done.sent] == chosen(done, spatial, temporal)
        assert numbers(packet for _, packet in done.sent) == list(range(100, 100 + len(done.sent)))

    @pytest.mark.parametrize(("spatial", "temporal", "extensions"), LAYERS)
    def test_the_last_packet_of_every_picture_is_marked_and_no_other(
        self, spatial: int, temporal: int, extensions: Mapping[ExtensionName, int]
    ) -> None:
        sent = played("vp9_svc", (spatial, temporal), slot=Slot(extensions=extensions, now=0.0)).sent
        lasts = [
            at for at, (one, _) in enumerate(sent) if at + 1 == len(sent) or sent[at + 1][0].timestamp != one.timestamp
        ]
        assert [at for at, (_, packet) in enumerate(sent) if packet.header.marker] == lasts

    @pytest.mark.parametrize("name", ["vp9_svc", "av1"])
    def test_the_dependency_descriptor_says_what_is_forwarded(self, name: str) -> None:
        structure: dependency.Structure | None = None
        for one, packet in played(name, (0, 0)).sent:
            read = dependency.parse(packet.extensions[DEPENDENCY], structure)
            structure = read.structure
            assert one.dependency is not None
            assert (read.frame, read.starts_frame) == (one.dependency.frame, one.dependency.starts_frame)
            if read.has_structure:
                assert read.active_targets == structure.targets_up_to(spatial_id=0, temporal_id=0)
                assert read.active_targets != structure.all_targets

    def test_descriptors_are_passed_on_as_they_are_where_everything_flows(self) -> None:
        for one, packet in played("av1").sent:
            assert bytes(packet.extensions[DEPENDENCY]) == one.extensions[ExtensionName.DEPENDENCY_DESCRIPTOR]

    def test_a_layer_that_is_left_is_said_to_be_inactive_in_all_of_the_next_picture(self) -> None:
        slot = Slot(extensions=WITH_DEPENDENCY, now=0.0)
        slot.sink.assign(ANNE)
        structure: dependency.Structure | None = None
        said: dict[int, list[int | None]] = {}
        for at, one in enumerate(result for result in results("vp9_svc") if isinstance(result, Incoming)):
            if at == 100:
                slot.allow((1, 2))
            for packet in slot.offer(ANNE, one):
                read = dependency.parse(packet.extensions[DEPENDENCY], structure)
                structure = read.structure
                if 80 <= at < 130:
                    said.setdefault(one.timestamp, []).append(read.active_targets)
        assert structure is not None
        pictures_with_it = [one for one in said.values() if set(one) != {None}]
        assert [set(one) for one in pictures_with_it] == [{structure.targets_up_to(spatial_id=1, temporal_id=2)}]
        assert len(said) > 6

    def test_frame_and_picture_numbers_go_on_over_a_switch(self) -> None:
        done = played("vp9_svc", slot=Slot(extensions=WITH_DEPENDENCY, now=0.0))
        _, last = done.sent[-1]
        done.slot.sink.assign(BEN)
        first = next(
            packet
            for result in results("vp9_svc")
            if isinstance(result, Incoming)
            for packet in done.slot.offer(BEN, result)
        )
        structure = dependency.parse(first.extensions[DEPENDENCY], None).structure
        before, after = (
            dependency.parse(packet.extensions[DEPENDENCY], structure).frame_number for packet in (last, first)
        )
        assert (after - before) & 0xFFFF == 1
        assert picture(first) - picture(last) == 1

    def test_distances_of_vp9_pictures_stay_as_they_were(self) -> None:
        done = played("vp9_svc", (2, 0))
        was = [parse_vp9(one.payload).picture_id for one, _ in done.sent]
        assert [parse_vp9(packet.payload).picture_id for _, packet in done.sent] == was

    def test_layers_above_are_taken_up_at_a_key_frame_and_asked_for(self) -> None:
        slot = Slot(extensions=WITH_DEPENDENCY, now=0.0)
        slot.sink.assign(ANNE)
        slot.allow((0, 2))
        sent: list[Incoming] = []
        for at, result in enumerate(results("vp9_svc")):
            if at == 20:
                slot.allow((0, 2), (2, 2))
                assert slot.sink.wanted_keyframes() == [(ANNE, 0)]
            if isinstance(result, Incoming) and slot.offer(ANNE, result):
                sent.append(result)
        risen = next(at for at, one in enumerate(sent) if one.spatial)
        assert next(one.part.is_keyframe for one in sent if one.timestamp == sent[risen].timestamp)
        assert {one.spatial for one in sent[risen:]} == {0, 1, 2}
        assert slot.sink.wanted_keyframes() == []


def picture(packet: Packet) -> int:
    found = parse_vp9(packet.payload).picture_id
    assert found is not None
    return found.value


class TestWhatBrowsersSend:
    @pytest.mark.parametrize("name", ["h264", "screen", "opus_dtx", "av1", "vp9_svc"])
    def test_payloads_without_rewriting_arrive_as_they_were(self, name: str) -> None:
        kind = Kind.AUDIO if name == "opus_dtx" else Kind.VIDEO
        types = {codec: (100 + at, None) for at, codec in enumerate(CodecName)}
        done = played(name, slot=Slot(kind, payload_types=types, now=0.0))
        assert len(done.sent) == len(done.incoming) > 60
        for one, packet in done.sent:
            assert bytes(packet.payload) == one.payload
            assert packet.header.marker == one.marker
        assert numbers(packet for _, packet in done.sent) == list(range(100, 100 + len(done.sent)))

    def test_a_simulcast_is_climbed_and_every_frame_is_whole(self) -> None:
        done = played("vp8_simulcast")
        streams = [one.stream for one, _ in done.sent]
        assert streams == sorted(streams)
        assert streams[-1] == 2
        for before, after in zip(done.sent, done.sent[1:], strict=False):
            if before[0].timestamp != after[0].timestamp and before[0].stream == after[0].stream:
                assert before[0].marker
                assert after[0].part.starts_frame
        assert_even(numbers(packet for _, packet in done.sent))


def assert_even(sequence: Sequence[int]) -> None:
    assert sequence == list(range(sequence[0], sequence[0] + len(sequence)))

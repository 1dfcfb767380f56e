"""What real browsers sent is read as they say they sent it; and what a network or an attacker makes of it is refused by
name, or read as something else, but never a fault."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest

from media import dependency, rtcp, sframe
from media.codecs.names import CodecName
from media.codecs.opus import parse_opus
from media.codecs.part import FramePart
from media.codecs.readers import READERS
from media.codecs.vp8 import parse_vp8
from media.codecs.vp9 import parse_vp9
from media.errors import BadPacket
from media.extensions import AudioLevel, ContentType, ExtensionName, read_mid, read_rid
from media.framecrypto import prefix_length
from media.gate import Action, Arrival, Judgement, Reason, TrackGate
from media.rtp import Kind, Packet, kind_of
from media.sequence import distance
from tests.media.captures import KEY_ID, NAMES, SEALED, Capture, Sent, load

VIDEO = ("vp8_simulcast", "vp9_svc", "av1", "h264", "screen", "sealed_vp8", "sealed_vp9")


@pytest.fixture(scope="module", params=NAMES)
def capture(request: pytest.FixtureRequest) -> Capture:
    return load(request.param)


def part_of(packet: Packet, of: Capture) -> FramePart:
    codec = of.about.payload_types[packet.header.payload_type]
    return READERS[codec.value.lower()](packet.payload, marker=packet.header.marker)


def parts(of: Capture, sent: Sent) -> Iterator[FramePart]:
    return (part_of(packet, of) for packet in of.media() if packet.header.ssrc == sent.ssrc)


def test_every_packet_is_read_and_written_again_as_it_was(capture: Capture) -> None:
    for one in capture.packets:
        assert kind_of(one.data) is (Kind.RTCP if one.is_rtcp else Kind.RTP)
        if one.is_rtcp:
            compound = rtcp.parse(one.data)
            assert rtcp.parse(rtcp.build(compound.packets)).packets == compound.packets
        else:
            assert Packet.parse(one.data).build() == one.data


def test_the_browser_counts_as_many_packets_as_came(capture: Capture) -> None:
    """Repairs that only probe the path count with their stream there, and have an SSRC of their own here."""
    ssrcs = {sent.ssrc for sent in capture.about.sent}
    came = Counter(packet.header.ssrc for packet in capture.rtp())
    repairs = sum(number for ssrc, number in came.items() if ssrc not in ssrcs)
    assert sum(came[ssrc] for ssrc in ssrcs) + repairs == pytest.approx(
        sum(sent.packets for sent in capture.about.sent), abs=15
    )


@pytest.mark.parametrize("name", VIDEO)
def test_readers_find_the_frames_and_key_frames_that_the_browser_counted(name: str) -> None:
    capture = load(name)
    for sent in capture.about.sent:
        read = list(parts(capture, sent))
        assert sum(part.starts_frame for part in read) == sum(part.ends_frame for part in read) == sent.frames
        assert sum(part.is_keyframe for part in read) == sent.keyframes == 2


@pytest.mark.parametrize("name", VIDEO)
def test_a_frame_starts_where_one_has_ended_and_nowhere_else(name: str) -> None:
    capture = load(name)
    for sent in capture.about.sent:
        read = list(parts(capture, sent))
        assert read[0].starts_frame
        assert all(before.ends_frame == after.starts_frame for before, after in pairwise(read))


@pytest.mark.parametrize("name", ["vp8_simulcast", "vp9_svc", "screen", "sealed_vp8", "sealed_vp9"])
def test_key_frames_say_the_size_that_the_browser_sent(name: str) -> None:
    capture = load(name)
    sizes = {
        sent.rid: {part.size for part in parts(capture, sent) if part.is_keyframe and part.size}
        for sent in capture.about.sent
    }
    if name.endswith(("vp9", "vp9_svc")):
        assert sizes == {"": {(320, 180)}}  # of its lowest layer
    else:
        assert sizes == {sent.rid: {(sent.width, sent.height)} for sent in capture.about.sent}


def test_simulcast_streams_are_told_apart_by_their_extensions() -> None:
    capture = load("vp8_simulcast")
    ids = capture.extension_ids
    rids = {sent.ssrc: sent.rid for sent in capture.about.sent}
    assert sorted(rids.values()) == ["f", "h", "q"]
    for packet in capture.media():
        assert read_mid(packet.extensions[ids[ExtensionName.MID]]) == "0"
        assert read_rid(packet.extensions[ids[ExtensionName.RID]]) == rids[packet.header.ssrc]


def test_layers_of_frame_rate_follow_their_pattern() -> None:
    capture = load("vp8_simulcast")
    for sent in capture.about.sent:
        layers = [part.temporal_id for part in parts(capture, sent) if part.starts_frame]
        # Four pictures: the lowest, the highest, the middle one, the highest. A key frame begins the pattern anew.
        assert set(pairwise(layers)) <= {(0, 2), (2, 1), (1, 2), (2, 0), (1, 0), (0, 0)}
        assert layers.count(0) == pytest.approx(len(layers) / 4, abs=3)


def test_vp8_counts_pictures_and_lowest_layers_on() -> None:
    capture = load("vp8_simulcast")
    for sent in capture.about.sent:
        found = [parse_vp8(one.payload) for one in capture.media() if one.header.ssrc == sent.ssrc]
        numbers = [one.picture_id.value for one in found if one.picture_id is not None and one.starts_frame]
        assert len(numbers) == sent.frames
        assert all(distance(after, before, 15) == 1 for before, after in pairwise(numbers))
        lowest = [one.tl0_pic_idx for one in found if one.temporal_id == 0 and one.starts_frame]
        assert all(
            (after - before) & 0xFF == 1
            for before, after in pairwise(lowest)
            if before is not None and after is not None
        )


def test_spatial_layers_stand_in_one_stream_and_the_descriptor_says_the_same() -> None:
    """VP9's own descriptor and the dependency descriptor beside it."""
    capture = load("vp9_svc")
    at = capture.extension_ids[ExtensionName.DEPENDENCY_DESCRIPTOR]
    structure: dependency.Structure | None = None
    seen = Counter[tuple[int | None, int | None]]()
    for packet in capture.media():
        described = dependency.parse(packet.extensions[at], structure)
        structure = described.structure
        own, said = part_of(packet, capture), described.part()
        assert (own.spatial_id, own.temporal_id) == (said.spatial_id, said.temporal_id)
        assert (own.starts_frame, own.ends_frame) == (said.starts_frame, said.ends_frame)
        assert own.is_keyframe == (said.is_keyframe and said.spatial_id == 0)
        seen[own.spatial_id, own.temporal_id] += own.starts_frame
    assert set(seen) == {(spatial, temporal) for spatial in range(3) for temporal in range(3)}
    sizes = [found.scalability.sizes for one in capture.media() if (found := parse_vp9(one.payload)).scalability]
    assert set(sizes) == {((320, 180), (640, 360), (1280, 720))}


def test_av1_says_by_its_units_and_by_its_descriptor_where_frames_begin() -> None:
    capture = load("av1")
    at = capture.extension_ids[ExtensionName.DEPENDENCY_DESCRIPTOR]
    structure: dependency.Structure | None = None
    for packet in capture.media():
        described = dependency.parse(packet.extensions[at], structure)
        structure = described.structure
        own, said = part_of(packet, capture), described.part()
        assert (own.starts_frame, own.is_keyframe) == (said.starts_frame, said.is_keyframe)
        assert own.ends_frame == said.ends_frame


def test_sound_that_pauses_is_seen_as_such() -> None:
    capture = load("opus_dtx")
    at = capture.extension_ids[ExtensionName.AUDIO_LEVEL]
    packets = list(capture.media())
    found = [parse_opus(packet.payload) for packet in packets]
    assert {one.samples for one in found} == {960}
    pauses = [packet for packet, one in zip(packets, found, strict=True) if one.is_dtx]
    assert len(pauses) >= 5
    assert all(AudioLevel.read(packet.extensions[at]).loudness == 127 for packet in pauses)
    # A pause leaves out packets and their numbers, but not the time.
    steps = {
        (
            distance(after.header.sequence, before.header.sequence, 16),
            distance(after.header.timestamp, before.header.timestamp, 32),
        )
        for before, after in pairwise(packets)
    }
    assert {sequence for sequence, _ in steps} == {1}
    assert max(timestamp for _, timestamp in steps) >= 10 * 960


def test_a_screen_says_that_it_is_one_on_its_key_frames() -> None:
    capture = load("screen")
    at = capture.extension_ids[ExtensionName.CONTENT_TYPE]
    said = [packet for packet in capture.media() if at in packet.extensions]
    assert {ContentType.read(packet.extensions[at]) for packet in said} == {ContentType.SCREEN}
    assert len({packet.header.timestamp for packet in said}) == 2


def test_reports_name_the_streams_and_their_clock() -> None:
    capture = load("vp8_simulcast")
    found = [packet for one in capture.packets if one.is_rtcp for packet in rtcp.parse(one.data).packets]
    reports = [packet for packet in found if isinstance(packet, rtcp.SenderReport)]
    assert {sent.ssrc for sent in capture.about.sent} <= {report.ssrc for report in reports}
    for sent in capture.about.sent:
        first, *_, last = [report for report in reports if report.ssrc == sent.ssrc]
        seconds = (last.ntp - first.ntp) / 2**32
        assert distance(last.rtp_timestamp, first.rtp_timestamp, 32) == pytest.approx(90_000 * seconds, abs=90)


def arrivals(of: Capture) -> list[Arrival]:
    made = []
    for packet in of.media():
        header, codec = packet.header, of.about.payload_types[packet.header.payload_type]
        part = part_of(packet, of)
        made.append(Arrival(header.ssrc, header.sequence, header.timestamp, codec, packet.payload, part))
    return made


@pytest.mark.parametrize("name", ["vp8_simulcast", "vp9_svc", "opus_dtx", "screen"])
def test_the_gate_lets_nothing_of_a_clear_browser_pass(name: str) -> None:
    gate = TrackGate((KEY_ID,))
    verdicts = [gate.judge(one) for one in arrivals(load(name))]
    assert Action.FORWARD not in {one.action for one in verdicts}
    assert [one.mutes for one in verdicts].count(True) == 1
    assert gate.muted


@pytest.mark.parametrize("name", SEALED)
def test_the_gate_lets_all_of_a_sealing_browser_pass(name: str) -> None:
    gate = TrackGate((KEY_ID, KEY_ID + 1))
    assert {gate.judge(one) for one in arrivals(load(name))} == {Judgement(Action.FORWARD)}


@pytest.mark.parametrize("name", SEALED)
def test_of_another_key_it_lets_nothing_pass(name: str) -> None:
    gate = TrackGate((KEY_ID + 1,))
    verdicts = [gate.judge(one) for one in arrivals(load(name))]
    assert {one.reason for one in verdicts if one.failed} == {Reason.FOREIGN_KEY}
    assert Action.FORWARD not in {one.action for one in verdicts}


@pytest.mark.parametrize("name", SEALED)
def test_a_network_that_swaps_packets_fails_no_frame(name: str) -> None:
    gate, dice = TrackGate((KEY_ID,)), random.Random(3)  # noqa: S311
    given = arrivals(load(name))
    order = sorted(range(len(given)), key=lambda at: at + dice.choice((0, 0, 0, 3, 12)))
    waiting: list[Arrival] = []
    for at in order:
        verdicts = [(one, gate.judge(one)) for one in (given[at], *waiting)]
        assert {verdict.action for _, verdict in verdicts} <= {Action.FORWARD, Action.HOLD}
        waiting = [one for one, verdict in verdicts if verdict.action is Action.HOLD]
    assert waiting == []


@pytest.mark.parametrize("name", SEALED)
def test_every_frame_has_its_header_where_the_gate_looks(name: str) -> None:
    """One count over all layers, none left out."""
    starts = [one for one in arrivals(load(name)) if one.part.starts_frame]
    counters = []
    for one in starts:
        at = one.part.frame_at + prefix_length(one.codec, one.payload[one.part.frame_at])
        header = sframe.parse_header(one.payload, at)
        assert header.key_id == KEY_ID
        counters.append(header.counter)
    assert sorted(counters) == list(range(len(starts)))


def twins(data: bytes, dice: random.Random) -> Iterator[bytes]:
    """Cut short, with a bit turned, and longer."""
    yield data[: dice.randrange(len(data))]
    flipped = bytearray(data)
    flipped[dice.randrange(min(len(data), 80))] ^= 1 << dice.randrange(8)
    yield bytes(flipped)
    yield data + dice.randbytes(dice.randrange(1, 40))


def test_malformed_twins_are_refused_by_name_or_read(capture: Capture) -> None:
    dice = random.Random(11)  # noqa: S311
    refused = Counter[str]()
    codecs = sorted({codec.value.lower() for codec in capture.about.payload_types.values()})
    descriptors = capture.extension_ids.get(ExtensionName.DEPENDENCY_DESCRIPTOR, 0)
    for one in capture.packets:
        for twin in twins(one.data, dice):
            with suppress(BadPacket):
                try:
                    read_all(twin, codecs, descriptors, is_rtcp=one.is_rtcp)
                except BadPacket as bad:
                    refused[bad.reason] += 1
    assert refused
    assert all(reason.replace("_", "").isalnum() for reason in refused)


def read_all(data: bytes, codecs: list[str], descriptors: int, *, is_rtcp: bool) -> None:
    if is_rtcp:
        rtcp.parse(data)
        return
    packet = Packet.parse(data)
    for codec in codecs:
        READERS[codec](packet.payload, marker=packet.header.marker)
    if descriptors in packet.extensions:
        dependency.parse(packet.extensions[descriptors], None)


def test_captures_are_of_codecs_that_are_named() -> None:
    assert {codec for name in NAMES for codec in load(name).about.payload_types.values()} == set(CodecName) - {
        CodecName.RED
    }

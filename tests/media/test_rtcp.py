"""RTCP: golden bytes, round trips, and what lies about its own length."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import BadPacket
from media.rtcp import (
    MOST_BYTES,
    Arrival,
    Compound,
    Description,
    FullIntraRequest,
    Goodbye,
    IntraRequest,
    Nack,
    Packet,
    PictureLoss,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build,
    parse,
)

BLOCK = ReportBlock(
    ssrc=0x0A0B0C0D,
    fraction_lost=64,
    cumulative_lost=-2,
    highest_sequence=0x0001FFFE,
    jitter=100,
    last_report=0x11223344,
    delay=65536,
)
BLOCK_BYTES = "0a0b0c0d 40fffffe 0001fffe 00000064 11223344 00010000"

GOLDEN: list[tuple[str, Packet]] = [
    (
        "81c8000c 00000001 83aa7e80 80000000 00015f90 0000000a 000003e8" + BLOCK_BYTES,
        SenderReport(1, 0x83AA7E8080000000, 90000, 10, 1000, (BLOCK,)),
    ),
    ("80c90001 00000001", ReceiverReport(1)),
    ("81c90007 00000001" + BLOCK_BYTES, ReceiverReport(1, (BLOCK,))),
    # The items end on a word, so that a whole word of zeros ends them.
    ("81ca0003 00000001 01046162 63640000", SourceDescription((Description(1, cname="abcd"),))),
    ("81ca0003 00000001 01026162 00000000", SourceDescription((Description(1, cname="ab"),))),
    (
        "82ca0005 00000001 01026162 0f013000 00000002 0f013100",
        SourceDescription((Description(1, "ab", "0"), Description(2, None, "1"))),
    ),
    ("82cb0002 00000001 00000002", Goodbye((1, 2))),
    ("81cb0003 00000001 04676f6e 65000000", Goodbye((1,), "gone")),
    ("81cd0003 00000001 00000002 fffe8003", Nack(1, 2, (0xFFFE, 0xFFFF, 0, 14))),
    ("81cd0004 00000001 00000002 00640000 00750000", Nack(1, 2, (100, 117))),
    ("81ce0002 00000001 00000002", PictureLoss(1, 2)),
    (
        "84ce0006 00000001 00000000 00000002 07000000 00000003 ff000000",
        FullIntraRequest(1, (IntraRequest(2, 7), IntraRequest(3, 255))),
    ),
    # 1,000,000 = 250,000 << 2.
    ("8fce0005 00000001 00000000 52454d42 010bd090 00000002", Remb(1, 1_000_000, (2,))),
    (
        "8fcd0005 00000001 00000002 00640001 000a0105 20010000",
        TransportFeedback(1, 2, 100, 1, 0x000A01, 5, (Arrival(0, 0),)),
    ),
]


def reason(raw: bytes) -> str:
    with pytest.raises(BadPacket) as caught:
        parse(raw)
    return caught.value.reason


@pytest.mark.parametrize(("text", "packet"), GOLDEN)
def test_each_packet_has_its_bytes(text: str, packet: Packet) -> None:
    raw = bytes.fromhex(text)
    assert build([packet]) == raw
    assert parse(raw) == Compound((packet,), ())
    assert parse(memoryview(raw)).packets == (packet,)


def test_a_compound_keeps_its_order_and_any_packet_may_come_alone() -> None:
    packets = tuple(packet for _, packet in GOLDEN)
    assert parse(build(packets)) == Compound(packets, ())


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("80cc0002 00000001 74657374", "app"),
        ("80cf0001 00000001", "xr"),
        ("80c00000", "unknown"),
        ("8acd0002 00000001 00000002", "feedback"),
        ("8fce0003 00000001 00000002 41424344", "feedback"),
        ("8fce0002 00000001 00000002", "feedback"),
    ],
)
def test_what_is_not_ours_is_passed_over_and_said(text: str, word: str) -> None:
    picture_loss = build([PictureLoss(1, 2)])
    assert parse(bytes.fromhex(text) + picture_loss) == Compound((PictureLoss(1, 2),), (word,))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "rtcp_empty"),
        ("80", "rtcp_truncated"),
        ("80c900", "rtcp_truncated"),
        ("80c90002 00000001", "rtcp_truncated"),
        ("80c9ffff 00000001", "rtcp_truncated"),
        ("80c90001 00000001 80", "rtcp_truncated"),
        ("40c90001 00000001", "rtcp_version"),
        ("a0c90000", "rtcp_padding"),
        ("a0c90001 00000000", "rtcp_padding"),
        ("a0c90001 00000005", "rtcp_padding"),
        ("a0c90001 00000004", "rtcp_report_length"),
        ("80c90000", "rtcp_report_length"),
        ("81c90001 00000001", "rtcp_report_length"),
        ("80c80005 00000001 00000000 00000000 00000000 00000000", "rtcp_report_length"),
        ("81c80006 00000001 00000000 00000000 00000000 00000000 00000000", "rtcp_report_length"),
        ("81ca0000", "rtcp_sdes_length"),
        ("81ca0001 00000001", "rtcp_sdes_length"),
        ("82ca0002 00000001 00000000", "rtcp_sdes_length"),
        ("81ca0002 00000001 01036162", "rtcp_sdes_length"),
        ("81ca0002 00000001 01026162", "rtcp_sdes_length"),
        ("81ca0002 00000001 02000100", "rtcp_sdes_length"),
        ("81ca0003 00000001 0102ffff 00000000", "rtcp_text"),
        ("82cb0001 00000001", "rtcp_bye_length"),
        ("81cb0002 00000001 04676f6e", "rtcp_bye_length"),
        ("81cb0002 00000001 01ff0000", "rtcp_text"),
        ("81cd0000", "rtcp_feedback_length"),
        ("81ce0001 00000001", "rtcp_feedback_length"),
        ("81cd0002 00000001 00000002", "rtcp_nack_length"),
        ("84ce0002 00000001 00000000", "rtcp_fir_length"),
        ("84ce0003 00000001 00000000 00000002", "rtcp_fir_length"),
        ("8fce0003 00000001 00000000 52454d42", "rtcp_remb_length"),
        ("8fce0005 00000001 00000000 52454d42 020bd090 00000002", "rtcp_remb_length"),
        ("8fce0005 00000001 00000000 52454d42 ff0bd090 00000002", "rtcp_remb_length"),
        ("8fce0004 00000001 00000000 52454d42 00ffffff", "rtcp_remb_bitrate"),
    ],
)
def test_what_lies_is_refused_under_a_stable_word(text: str, word: str) -> None:
    assert reason(bytes.fromhex(text)) == word


@pytest.mark.parametrize("lost", [-0x800000, -1, 0, 0x400000, 0x7FFFFF])
def test_the_count_of_the_lost_has_a_sign_and_24_bits(lost: int) -> None:
    report = ReceiverReport(1, (replace(BLOCK, cumulative_lost=lost),))
    assert parse(build([report])).packets == (report,)


def test_a_datagram_longer_than_any_path_carries_is_refused() -> None:
    raw = build([ReceiverReport(1)]) * (MOST_BYTES // 8 + 1)
    assert reason(raw) == "rtcp_too_long"


def test_padding_is_taken_off_whatever_its_length() -> None:
    padded = bytes.fromhex("a1ce0003 00000001 00000002 00000004")
    assert parse(padded).packets == (PictureLoss(1, 2),)
    by_one = bytes.fromhex("afcd0005 00000001 00000002 00640002 000a0105 20020001")
    assert reason(by_one) == "rtcp_transport_length"


def test_a_profile_s_extension_behind_the_blocks_is_passed_over() -> None:
    raw = bytes.fromhex("80c90002 00000001 deadbeef")
    assert parse(raw).packets == (ReceiverReport(1),)


def test_items_of_sdes_that_mean_nothing_here_are_passed_over() -> None:
    raw = bytes.fromhex("81ca0004 00000001 06016108 01620102 78790000")
    assert parse(raw).packets == (SourceDescription((Description(1, cname="xy"),)),)


def test_a_sequence_number_that_is_named_twice_is_lost_once() -> None:
    raw = bytes.fromhex("81cd0004 00000001 00000002 00640001 00650000")
    assert parse(raw).packets == (Nack(1, 2, (100, 101)),)


def test_remb_rounds_down_to_eighteen_bits() -> None:
    assert parse(build([Remb(1, 0x7FFFF, ())])).packets == (Remb(1, 0x7FFFE, ()),)


@pytest.mark.parametrize(
    "packet",
    [
        ReceiverReport(1, (BLOCK,) * 32),
        Goodbye(tuple(range(32))),
        SourceDescription((Description(1),) * 32),
        SourceDescription((Description(1, cname="é" * 128),)),
        Nack(1, 2, ()),
        FullIntraRequest(1, ()),
        Remb(1, 1 << 82, ()),
        Remb(1, 1, tuple(range(256))),
    ],
)
def test_what_the_wire_has_no_room_for_is_not_built(packet: Packet) -> None:
    with pytest.raises(ValueError, match=r"."):
        build([packet])


U8 = st.integers(0, 0xFF)
U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
TEXTS = st.text(max_size=60)
BLOCKS = st.lists(
    st.builds(
        ReportBlock,
        ssrc=U32,
        fraction_lost=U8,
        cumulative_lost=st.integers(-0x800000, 0x7FFFFF),
        highest_sequence=U32,
        jitter=U32,
        last_report=U32,
        delay=U32,
    ),
    max_size=3,
).map(tuple)
CHUNKS = st.lists(st.builds(Description, U32, st.none() | TEXTS, st.none() | TEXTS), max_size=3).map(tuple)
PACKETS: st.SearchStrategy[Packet] = st.one_of(
    st.builds(SenderReport, U32, st.integers(0, (1 << 64) - 1), U32, U32, U32, BLOCKS),
    st.builds(ReceiverReport, U32, BLOCKS),
    st.builds(SourceDescription, CHUNKS),
    st.builds(Goodbye, st.lists(U32, max_size=3).map(tuple), TEXTS),
    st.builds(PictureLoss, U32, U32),
    st.builds(FullIntraRequest, U32, st.lists(st.builds(IntraRequest, U32, U8), min_size=1, max_size=3).map(tuple)),
    st.builds(Remb, U32, st.integers(0, 0x3FFFF), st.lists(U32, max_size=3).map(tuple)),
)


@given(st.lists(PACKETS, min_size=1, max_size=3))
def test_what_is_built_is_parsed_as_it_was(packets: list[Packet]) -> None:
    assert parse(build(packets)) == Compound(tuple(packets), ())


@given(st.lists(U16, min_size=1, max_size=40))
def test_a_nack_names_exactly_those_that_were_lost(lost: list[int]) -> None:
    (parsed,) = parse(build([Nack(1, 2, tuple(lost))])).packets
    assert isinstance(parsed, Nack)
    assert set(parsed.lost) == set(lost)
    assert len(parsed.lost) == len(set(lost))


HEADERS = st.builds(
    lambda first, kind, body: bytes((0x80 | first, kind)) + (len(body) // 4).to_bytes(2, "big") + body,
    st.integers(0, 0x3F),
    st.integers(200, 207),
    st.binary(max_size=80).map(lambda raw: raw + bytes(-len(raw) % 4)),
)


@given(st.binary(max_size=200) | st.lists(HEADERS, max_size=4).map(b"".join))
def test_any_bytes_are_parsed_or_refused_and_what_was_parsed_stays_what_it_is(raw: bytes) -> None:
    try:
        found = parse(raw)
    except BadPacket:
        return
    if found.packets and len(again := build(found.packets)) <= MOST_BYTES:
        assert [_unordered(packet) for packet in parse(again).packets] == [_unordered(p) for p in found.packets]


def _unordered(packet: Packet) -> Packet:
    """A NACK's order is the sender's."""
    if isinstance(packet, Nack):
        return Nack(packet.sender_ssrc, packet.media_ssrc, tuple(sorted(packet.lost)))
    return packet


def test_the_worst_datagrams_are_parsed_in_bounded_time() -> None:
    nacks = bytes.fromhex("81cd0176 00000001 00000002") + b"\x00\x00\xff\xff" * 372
    losses = bytes.fromhex("8fcd0009 00000001 00000002 0000ffff 00000000") + bytes.fromhex("1fff") * 10
    began = time.perf_counter()
    for raw in (nacks, losses * 37, bytes.fromhex("80c00000") * 375):
        assert len(raw) <= MOST_BYTES
        parse(raw)
    assert time.perf_counter() - began < 0.5

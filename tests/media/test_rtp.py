"""Packets as they stand on the wire, what is wrong with others, and how they are written anew."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import BadPacket
from media.rtp import (
    ExtensionLayout,
    Header,
    Kind,
    Packet,
    Slot,
    build,
    kind_of,
    parse_extensions,
    unwrap_rtx,
    wrap_rtx,
)

HEADER = Header(payload_type=96, sequence=0x1234, timestamp=0xDEADBEEF, ssrc=0xCAFEBABE, marker=True)
FIXED = bytes.fromhex("80e01234deadbeefcafebabe")
# RFC 8285 4.2, the figure: elements of one, two (after which there is padding) and four bytes.
ONE_BYTE = bytes.fromhex("bede0003 10a1 21b1b2 0000 33c1c2c3c4")
# RFC 8285 4.3, the figure: an element without a value, one of a byte, padding, one of four.
TWO_BYTE = bytes.fromhex("10000003 0100 0201b1 00 0304c1c2c3c4")


def refused(data: bytes) -> str:
    with pytest.raises(BadPacket) as refusal:
        Packet.parse(data)
    return refusal.value.reason


def elements(block: bytes) -> dict[int, bytes]:
    return {identifier: bytes(value) for identifier, value in parse_extensions(block).items()}


class TestDemultiplexing:
    @pytest.mark.parametrize(
        ("first", "last", "kind"),
        [
            (0, 3, Kind.STUN),
            (4, 15, Kind.UNKNOWN),
            (16, 19, Kind.ZRTP),
            (20, 63, Kind.DTLS),
            (64, 79, Kind.TURN_CHANNEL),
            (80, 127, Kind.UNKNOWN),
            (128, 191, Kind.RTP),
            (192, 255, Kind.UNKNOWN),
        ],
    )
    def test_the_first_byte_tells_as_rfc_7983_has_it(self, first: int, last: int, kind: Kind) -> None:
        assert {kind_of(bytes((value, 96))) for value in range(first, last + 1)} == {kind}

    def test_rtcp_is_told_by_its_packet_types(self) -> None:
        kinds = [kind_of(bytes((0x80, second))) for second in range(256)]
        assert [n for n, kind in enumerate(kinds) if kind is Kind.RTCP] == list(range(192, 224))

    def test_nothing_and_half_a_header_are_unknown(self) -> None:
        assert kind_of(b"") is Kind.UNKNOWN
        assert kind_of(b"\x80") is Kind.UNKNOWN
        assert kind_of(b"\x00") is Kind.STUN


class TestReading:
    def test_the_fields_of_the_fixed_header(self) -> None:
        packet = Packet.parse(FIXED + b"payload")
        assert packet.header == HEADER
        assert bytes(packet.payload) == b"payload"
        assert (bytes(packet.csrcs), bytes(packet.extension_block), packet.padding) == (b"", b"", 0)
        assert packet.extensions == {}

    def test_everything_at_once(self) -> None:
        data = b"\xb2" + FIXED[1:] + b"ccccdddd" + ONE_BYTE + b"payload" + b"\0\0\x03"
        packet = Packet.parse(data)
        assert bytes(packet.csrcs) == b"ccccdddd"
        assert bytes(packet.extension_block) == ONE_BYTE
        assert bytes(packet.extensions[3]) == b"\xc1\xc2\xc3\xc4"
        assert bytes(packet.payload) == b"payload"
        assert packet.padding == 3
        assert packet.build() == data

    def test_nothing_is_copied(self) -> None:
        data = b"\x90" + FIXED[1:] + ONE_BYTE + b"payload"
        packet = Packet.parse(data)
        assert packet.payload.obj is data
        assert packet.extensions[1].obj is data
        assert packet.extension_block.obj is data

    def test_a_packet_of_nothing_but_padding_is_recognised(self) -> None:
        packet = Packet.parse(b"\xa0" + FIXED[1:] + bytes(254) + b"\xff")
        assert packet.is_padding_only
        assert packet.padding == 255
        assert Packet.parse(FIXED).is_padding_only
        assert not Packet.parse(FIXED + b"\0").is_padding_only

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "rtp_too_short"),
            (FIXED[:11], "rtp_too_short"),
            (b"\x00" + FIXED[1:], "rtp_version"),
            (b"\x40" + FIXED[1:], "rtp_version"),
            (b"\xc0" + FIXED[1:], "rtp_version"),
            (b"\x82" + FIXED[1:] + bytes(7), "rtp_csrcs_truncated"),
            (b"\x90" + FIXED[1:], "rtp_extension_truncated"),
            (b"\x90" + FIXED[1:] + b"\xbe\xde\x00", "rtp_extension_truncated"),
            (b"\x90" + FIXED[1:] + b"\xbe\xde\x00\x02" + bytes(7), "rtp_extension_truncated"),
            (b"\x90" + FIXED[1:] + b"\xbe\xde\x00\x01" + b"\x14aaa", "rtp_extension_overrun"),
            (b"\x90" + FIXED[1:] + b"\x10\x00\x00\x01" + b"\x01\x03aa", "rtp_extension_overrun"),
            (b"\x90" + FIXED[1:] + b"\x10\x00\x00\x01" + b"\0\0\0\x07", "rtp_extension_overrun"),
            (b"\xa0" + FIXED[1:], "rtp_padding"),
            (b"\xa0" + FIXED[1:] + b"\0", "rtp_padding"),
            (b"\xa0" + FIXED[1:] + b"\0\x03", "rtp_padding"),
            (b"\xb0" + FIXED[1:] + b"\xbe\xde\x00\x00" + b"\x02", "rtp_padding"),
        ],
    )
    def test_what_is_malformed_is_refused_with_a_reason(self, data: bytes, reason: str) -> None:
        assert refused(data) == reason

    @given(st.binary(max_size=300))
    def test_any_bytes_are_a_packet_or_refused(self, data: bytes) -> None:
        with suppress(BadPacket):
            Packet.parse(data)

    @given(st.integers(0, 63), st.sampled_from((0xBEDE, 0x1000, 0x100A, 0xABCD)), st.binary(max_size=80))
    def test_what_was_read_is_written_again(self, flags: int, profile: int, tail: bytes) -> None:
        block = b"" if not flags & 0x10 else profile.to_bytes(2, "big") + (len(tail) // 8).to_bytes(2, "big")
        data = bytes((0x80 | flags,)) + FIXED[1:] + b"cccc" * (flags & 15) + block + tail
        try:
            packet = Packet.parse(data)
        except BadPacket:
            return
        rebuilt = packet.build()
        assert rebuilt[: len(data) - packet.padding] == data[: len(data) - packet.padding]
        assert Packet.parse(rebuilt) == packet


class TestExtensionElements:
    def test_the_short_form_of_rfc_8285(self) -> None:
        assert elements(ONE_BYTE) == {1: b"\xa1", 2: b"\xb1\xb2", 3: b"\xc1\xc2\xc3\xc4"}

    def test_the_long_form_of_rfc_8285(self) -> None:
        assert elements(TWO_BYTE) == {1: b"", 2: b"\xb1", 3: b"\xc1\xc2\xc3\xc4"}

    def test_the_application_bits_of_the_long_form_change_nothing(self) -> None:
        assert elements(b"\x10\x0f" + TWO_BYTE[2:]) == elements(TWO_BYTE)

    def test_reading_ends_at_the_reserved_id(self) -> None:
        assert elements(bytes.fromhex("bede0002 10a1 f0 20b1 00 0000")) == {1: b"\xa1"}

    def test_reading_ends_at_padding_that_claims_a_length(self) -> None:
        assert elements(bytes.fromhex("bede0002 10a1 01 20b1 00 0000")) == {1: b"\xa1"}

    def test_the_first_of_two_with_one_id_counts(self) -> None:
        assert elements(bytes.fromhex("bede0001 10a1 10b1")) == {1: b"\xa1"}
        assert elements(bytes.fromhex("10000002 0101a1 0101b1 0000")) == {1: b"\xa1"}

    def test_another_profile_has_no_elements(self) -> None:
        assert elements(bytes.fromhex("abac0001 10a110b1")) == {}

    @pytest.mark.parametrize("block", [b"\xbe\xde", b"\xbe\xde\0\1", b"\xbe\xde\0\0\0"])
    def test_a_block_has_the_length_that_it_says(self, block: bytes) -> None:
        with pytest.raises(BadPacket, match="rtp_extension_truncated"):
            parse_extensions(block)


class TestWriting:
    def test_golden_bytes(self) -> None:
        block = ExtensionLayout([Slot(4, 2), Slot(1, 1)]).render({4: b"\x00\x07", 1: b"\x85"})
        assert build(HEADER, b"payload", extension_block=block, padding=2) == bytes.fromhex(
            "b0e01234deadbeefcafebabe bede0002 410007 1085 000000".replace(" ", "")
        ) + b"payload" + bytes.fromhex("0002")

    @pytest.mark.parametrize(
        "header",
        [
            replace(HEADER, payload_type=128),
            replace(HEADER, payload_type=-1),
            replace(HEADER, sequence=65536),
            replace(HEADER, timestamp=1 << 32),
            replace(HEADER, ssrc=-1),
        ],
    )
    def test_numbers_that_do_not_fit_are_refused(self, header: Header) -> None:
        with pytest.raises(BadPacket, match="rtp_header_field"):
            build(header, b"")

    def test_padding_and_contributors_that_do_not_fit_are_refused(self) -> None:
        with pytest.raises(BadPacket, match="rtp_padding"):
            build(HEADER, b"", padding=256)
        for csrcs in (b"abc", bytes(64)):
            with pytest.raises(BadPacket, match="rtp_csrcs"):
                build(HEADER, b"", csrcs=csrcs)

    @given(
        st.builds(
            Header,
            payload_type=st.integers(0, 127),
            sequence=st.integers(0, 65535),
            timestamp=st.integers(0, 0xFFFFFFFF),
            ssrc=st.integers(0, 0xFFFFFFFF),
            marker=st.booleans(),
        ),
        st.binary(max_size=40),
        st.integers(0, 15),
        st.integers(0, 255),
    )
    def test_what_is_written_is_read(self, header: Header, payload: bytes, csrcs: int, padding: int) -> None:
        packet = Packet.parse(
            build(header, payload, extension_block=ONE_BYTE, csrcs=b"abcd" * csrcs, padding=padding),
        )
        assert packet.header == header
        assert packet.payload == payload
        assert packet.extension_block == ONE_BYTE
        assert packet.csrcs == b"abcd" * csrcs
        assert packet.padding == padding


class TestExtensionLayout:
    def test_the_block_is_as_long_with_any_of_its_values(self) -> None:
        layout = ExtensionLayout([Slot(1, 3), Slot(2, 2), Slot(3, 16)])
        for values in ({}, {1: b"abc"}, {2: b"\0\1", 3: b"0"}, {1: b"a", 3: b"0123456789abcdef"}):
            block = layout.render(values)
            assert len(block) == layout.size
            assert elements(block) == values

    def test_an_id_over_fourteen_or_a_long_value_takes_the_long_form(self) -> None:
        assert ExtensionLayout([Slot(14, 16)]).render({14: b"a"})[:2] == b"\xbe\xde"
        assert ExtensionLayout([Slot(15, 1)]).render({15: b"a"})[:2] == b"\x10\x00"
        assert ExtensionLayout([Slot(1, 17)]).render({1: b"a"})[:2] == b"\x10\x00"
        assert elements(ExtensionLayout([Slot(255, 255)]).render({255: b"a" * 255})) == {255: b"a" * 255}

    @pytest.mark.parametrize("stamped", [2, 20])
    def test_a_value_is_written_over_in_place(self, stamped: int) -> None:
        layout = ExtensionLayout([Slot(1, 3), Slot(stamped, 2)])
        block = bytearray(layout.render({1: b"abc", stamped: b"\0\0"}))
        at = layout.offset(stamped)
        assert at is not None
        block[at : at + 2] = b"\x12\x34"
        assert elements(bytes(block)) == {1: b"abc", stamped: b"\x12\x34"}
        assert layout.offset(3) is None

    def test_no_elements_make_no_block(self) -> None:
        layout = ExtensionLayout([])
        assert layout.render({}) == b""
        assert layout.size == 0
        with pytest.raises(BadPacket, match="rtp_extension_unplaced"):
            layout.render({1: b"a"})

    def test_what_has_no_place_is_refused(self) -> None:
        layout = ExtensionLayout([Slot(1, 2)])
        for values, reason in (
            ({2: b"a"}, "rtp_extension_unplaced"),
            ({1: b"abc"}, "rtp_extension_size"),
            ({1: b""}, "rtp_extension_size"),
        ):
            with pytest.raises(BadPacket, match=reason):
                layout.render(values)
        assert elements(ExtensionLayout([Slot(99, 2)]).render({99: b""})) == {99: b""}

    @pytest.mark.parametrize("slots", [[Slot(0, 1)], [Slot(256, 1)], [Slot(1, 0)], [Slot(1, 256)], [Slot(1, 1)] * 2])
    def test_a_layout_that_cannot_be_written_is_refused(self, slots: list[Slot]) -> None:
        with pytest.raises(BadPacket, match="rtp_extension_layout"):
            ExtensionLayout(slots)

    @given(
        st.dictionaries(st.integers(1, 255), st.binary(min_size=1, max_size=40), max_size=12),
        st.sets(st.integers(1, 255)),
    )
    def test_what_is_rendered_is_read(self, values: dict[int, bytes], absent: set[int]) -> None:
        layout = ExtensionLayout([Slot(identifier, len(value) + 1) for identifier, value in values.items()])
        present = {identifier: value for identifier, value in values.items() if identifier not in absent}
        block = layout.render(present)
        assert elements(block) == present
        assert len(block) == layout.size
        assert layout.size % 4 == 0


class TestRepairs:
    def test_golden_bytes(self) -> None:
        sent = Packet.parse(b"\xb0" + FIXED[1:] + ONE_BYTE + b"payload" + b"\0\x02")
        repair = wrap_rtx(sent, payload_type=97, ssrc=0x01020304, sequence=9)
        assert repair == bytes.fromhex("90e10009deadbeef01020304") + ONE_BYTE + b"\x12\x34payload"

    def test_a_repair_gives_back_what_was_sent(self) -> None:
        sent = Packet.parse(b"\x91" + FIXED[1:] + b"cccc" + TWO_BYTE + b"payload")
        repair = Packet.parse(wrap_rtx(sent, payload_type=97, ssrc=7, sequence=65535))
        assert unwrap_rtx(repair, payload_type=96, ssrc=0xCAFEBABE).build() == sent.build()

    def test_its_extensions_may_be_others(self) -> None:
        sent = Packet.parse(b"\x90" + FIXED[1:] + ONE_BYTE + b"payload")
        for block in (TWO_BYTE, b""):
            repair = Packet.parse(wrap_rtx(sent, payload_type=97, ssrc=7, sequence=1, extension_block=block))
            assert repair.extension_block == block

    def test_the_payload_is_not_copied(self) -> None:
        data = FIXED + b"\x00\x05payload"
        packet = unwrap_rtx(Packet.parse(data), payload_type=96, ssrc=1)
        assert packet.payload.obj is data
        assert (bytes(packet.payload), packet.header.sequence, packet.header.ssrc) == (b"payload", 5, 1)

    def test_probes_and_stumps_are_told_apart(self) -> None:
        for data, reason in (
            (b"\xa0" + FIXED[1:] + b"\0\0\x03", "rtx_padding"),
            (FIXED, "rtx_padding"),
            (FIXED + b"\x00", "rtx_too_short"),
        ):
            with pytest.raises(BadPacket, match=reason):
                unwrap_rtx(Packet.parse(data), payload_type=96, ssrc=1)

    def test_a_lost_packet_of_padding_alone_comes_back_as_such(self) -> None:
        packet = unwrap_rtx(Packet.parse(FIXED + b"\x00\x05"), payload_type=96, ssrc=1)
        assert packet.is_padding_only
        assert packet.header.sequence == 5

    @given(st.binary(max_size=60), st.integers(0, 65535), st.integers(0, 127))
    def test_wrapping_is_undone(self, payload: bytes, sequence: int, payload_type: int) -> None:
        header = replace(HEADER, sequence=sequence, payload_type=payload_type)
        sent = Packet.parse(build(header, payload, extension_block=ONE_BYTE))
        repair = Packet.parse(wrap_rtx(sent, payload_type=97, ssrc=7, sequence=1))
        assert unwrap_rtx(repair, payload_type=payload_type, ssrc=HEADER.ssrc) == sent

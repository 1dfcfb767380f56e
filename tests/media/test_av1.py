"""AV1's aggregation header and the heads of its units."""

from __future__ import annotations

import pytest

from media.codecs.av1 import parse_av1, read_av1
from media.errors import BadPacket

SEQUENCE = bytes.fromhex("08 0000 00")
KEY = bytes.fromhex("30 10 0000")  # OBU_FRAME: shown, KEY_FRAME
INTER = bytes.fromhex("30 30 0000")  # OBU_FRAME: shown, INTER_FRAME


def packet(head: int, *units: bytes) -> bytes:
    """Counted in the header: all but the last unit have their length before them."""
    sized = b"".join(bytes([len(unit)]) + unit for unit in units[:-1])
    return bytes([head | len(units) << 4]) + sized + units[-1]


def reason(payload: bytes) -> str:
    with pytest.raises(BadPacket) as raised:
        parse_av1(payload)
    return raised.value.reason


def test_a_new_sequence_is_a_keyframe() -> None:
    found = parse_av1(packet(0x08, SEQUENCE, KEY))
    assert [unit.kind for unit in found.units] == [1, 6]
    assert found.units[1].begins_key
    part = found.part(marker=True)
    assert (part.starts_frame, part.ends_frame, part.is_keyframe, part.is_switching_point) == (True, True, True, True)
    assert (part.temporal_id, part.spatial_id) == (None, None)


def test_a_sequence_header_with_a_keyframe_needs_no_flag() -> None:
    assert read_av1(packet(0, SEQUENCE, KEY), marker=False).is_keyframe
    assert not read_av1(packet(0, SEQUENCE, INTER), marker=False).is_keyframe
    assert not read_av1(packet(0, KEY), marker=False).is_keyframe


def test_a_delta_frame() -> None:
    part = read_av1(packet(0, INTER), marker=True)
    assert (part.starts_frame, part.is_keyframe) == (True, False)


def test_a_frame_shown_again_is_no_keyframe() -> None:
    assert parse_av1(packet(0, bytes.fromhex("18 80"))).units[0].begins_key is False


def test_units_that_all_have_their_length() -> None:
    payload = b"\x08" + bytes([len(SEQUENCE)]) + SEQUENCE + b"\x00" + bytes([len(KEY)]) + KEY
    assert [unit.kind for unit in parse_av1(payload).units] == [1, 6]


def test_units_with_a_size_field_of_their_own() -> None:
    assert parse_av1(packet(0, bytes.fromhex("32 03 10 0000"))).units[0].begins_key


def test_the_layers_stand_in_a_units_extension() -> None:
    part = read_av1(packet(0, bytes.fromhex("34 48 30 00")), marker=False)
    assert (part.temporal_id, part.spatial_id) == (2, 1)


def test_the_middle_of_a_unit_starts_nothing() -> None:
    found = parse_av1(packet(0xC0, b"\xff\xff\xff"))
    assert (found.continues, found.is_continued, found.units) == (True, True, ())
    part = found.part(marker=False)
    assert (part.starts_frame, part.is_keyframe, part.temporal_id) == (False, False, None)


def test_a_delimiter_that_a_sender_left_in_starts_a_frame() -> None:
    assert read_av1(packet(0x08, b"\x10", SEQUENCE, KEY), marker=False).is_keyframe


def test_a_tile_group_starts_no_frame() -> None:
    assert not read_av1(packet(0, bytes.fromhex("20 00")), marker=False).starts_frame


def test_a_unit_that_goes_on_may_be_cut_after_its_first_byte() -> None:
    assert parse_av1(packet(0x40, b"\x34")).units[0].temporal_id is None
    assert reason(packet(0, b"\x34")) == "av1_truncated"


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("", "av1_truncated"),
        ("08", "av1_truncated"),
        ("00 05 30", "av1_truncated"),
        ("20 01 30", "av1_truncated"),
        ("00 80", "av1_truncated"),
        ("00 808080808080808001", "av1_long_length"),
        ("88 00", "av1_sequence_in_the_middle"),
        ("10 b0 10", "av1_damaged"),
    ],
)
def test_what_is_refused(payload: str, why: str) -> None:
    assert reason(bytes.fromhex(payload)) == why

"""H.264's payload structures."""

from __future__ import annotations

import pytest

from media.codecs.h264 import parse_h264, read_h264
from media.errors import BadPacket

SPS = bytes.fromhex("67 42c01f")
PPS = bytes.fromhex("68 ce3c80")
IDR = bytes.fromhex("65 888400")
DELTA = bytes.fromhex("41 9a0000")


def stap(*units: bytes) -> bytes:
    return b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


def reason(payload: bytes) -> str:
    with pytest.raises(BadPacket) as raised:
        parse_h264(payload)
    return raised.value.reason


def test_parameter_sets_and_an_idr_slice_in_one_packet() -> None:
    found = parse_h264(stap(SPS, PPS, IDR))
    assert [unit.kind for unit in found.units] == [7, 8, 5]
    assert (found.has_sps, found.has_pps, found.has_idr) == (True, True, True)
    part = found.part(marker=True)
    assert (part.starts_frame, part.ends_frame, part.is_keyframe, part.is_switching_point) == (True, True, True, True)
    assert (part.temporal_id, part.spatial_id, part.is_discardable) == (None, None, False)


def test_parameter_sets_before_the_idr_slice_begin_the_keyframe() -> None:
    assert read_h264(stap(SPS, PPS), marker=False).is_keyframe
    assert read_h264(SPS, marker=False).is_keyframe
    assert not read_h264(PPS, marker=False).starts_frame


def test_a_keyframe_starts_with_its_parameter_sets_and_not_again_with_its_slices() -> None:
    assert not read_h264(IDR, marker=True).starts_frame
    for fragment, ends in (("7c 85 88 84", False), ("7c 05 88 84", False), ("7c 45 88 84", True)):
        part = read_h264(bytes.fromhex(fragment), marker=ends)
        assert (part.starts_frame, part.is_keyframe, part.ends_frame) == (False, False, ends)


def test_a_fragment_may_be_empty() -> None:
    assert not read_h264(bytes.fromhex("7c 85"), marker=False).starts_frame
    assert parse_h264(bytes.fromhex("7c 85")).has_idr


def test_a_delta_frame() -> None:
    part = read_h264(DELTA, marker=True)
    assert (part.starts_frame, part.is_keyframe, part.is_discardable) == (True, False, False)


def test_a_second_slice_of_a_picture_starts_no_frame() -> None:
    assert not read_h264(bytes.fromhex("41 5a0000"), marker=True).starts_frame
    assert not read_h264(bytes.fromhex("65 488400"), marker=True).is_keyframe


def test_what_no_other_frame_refers_to_is_discardable() -> None:
    assert read_h264(bytes.fromhex("01 9a0000"), marker=True).is_discardable
    assert not read_h264(stap(bytes.fromhex("01 9a"), DELTA), marker=True).is_discardable


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("", "h264_truncated"),
        ("78", "h264_truncated"),
        ("78 00", "h264_truncated"),
        ("78 0000", "h264_truncated"),
        ("78 0005 67 42", "h264_truncated"),
        ("7c", "h264_truncated"),
        ("7c c5 88", "h264_whole_fragment"),
        ("7c 9c 88", "h264_unknown_unit"),
        ("78 0002 7c 85", "h264_unknown_unit"),
        ("60 00", "h264_unknown_unit"),
        ("7e 00", "h264_unknown_unit"),
        ("e5 88", "h264_damaged"),
        ("78 0002 e5 88", "h264_damaged"),
        ("7d 85 88", "h264_interleaved"),
        ("79 0000", "h264_interleaved"),
    ],
)
def test_what_is_refused(payload: str, why: str) -> None:
    assert reason(bytes.fromhex(payload)) == why


def test_a_packet_full_of_the_smallest_units_is_read_to_its_end() -> None:
    assert len(parse_h264(stap(*[b"\x09"] * 400)).units) == 400

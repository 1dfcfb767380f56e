"""Opus packets."""

from __future__ import annotations

import pytest

from media.codecs.opus import OpusMode, parse_opus, read_opus
from media.errors import BadPacket

SEALED = 7 + 16


@pytest.mark.parametrize(
    ("configuration", "mode", "samples"),
    [
        (0, OpusMode.SILK, 480),
        (3, OpusMode.SILK, 2880),
        (9, OpusMode.SILK, 960),
        (12, OpusMode.HYBRID, 480),
        (15, OpusMode.HYBRID, 960),
        (16, OpusMode.CELT, 120),
        (31, OpusMode.CELT, 960),
    ],
)
def test_the_first_byte_names_mode_and_length(configuration: int, mode: OpusMode, samples: int) -> None:
    found = parse_opus(bytes([configuration << 3]) + bytes(40))
    assert (found.mode, found.frame_samples, found.samples, found.is_stereo) == (mode, samples, samples, False)


def test_as_browsers_send_it() -> None:
    # 20 ms of wide-band speech in stereo: 0x78 is hybrid, 0xfc is CELT.
    assert parse_opus(b"\x78" + bytes(60)).samples == 960
    found = parse_opus(b"\xfc" + bytes(60))
    assert (found.samples, found.is_stereo, found.is_dtx) == (960, True, False)


@pytest.mark.parametrize(("code", "frames"), [(0, 1), (1, 2), (2, 2)])
def test_how_many_frames_there_are(code: int, frames: int) -> None:
    assert parse_opus(bytes([0x78 | code]) + bytes(9)).frames == frames


def test_a_packet_that_counts_its_frames() -> None:
    assert parse_opus(b"\x7b\x86" + bytes(9)).samples == 5760


@pytest.mark.parametrize("payload", [b"\x78", b"\x79\x00"])
def test_a_pause_is_a_byte_or_two(payload: bytes) -> None:
    assert parse_opus(payload).is_dtx
    assert not parse_opus(b"\x78" + bytes(2)).is_dtx


def test_an_encrypted_packet_shows_its_first_byte_and_its_length() -> None:
    found = parse_opus(b"\x7b" + bytes(60), sealed=SEALED)
    assert (found.mode, found.frames, found.samples, found.is_dtx) == (OpusMode.HYBRID, None, None, False)
    assert parse_opus(b"\x78" + bytes(SEALED), sealed=SEALED).is_dtx


@pytest.mark.parametrize(
    ("payload", "sealed", "why"),
    [
        ("", 0, "opus_empty"),
        ("78" + "00" * (SEALED - 1), SEALED, "opus_empty"),
        ("7b", 0, "opus_truncated"),
        ("7b80", 0, "opus_no_frames"),
        ("7b07", 0, "opus_too_long"),
    ],
)
def test_what_is_refused(payload: str, sealed: int, why: str) -> None:
    with pytest.raises(BadPacket) as raised:
        parse_opus(bytes.fromhex(payload), sealed=sealed)
    assert raised.value.reason == why


@pytest.mark.parametrize("marker", [True, False])
def test_every_packet_is_a_whole_frame_to_begin_at(*, marker: bool) -> None:
    part = read_opus(b"\x78\x00\x00", marker=marker)
    assert part.starts_frame
    assert part.ends_frame
    assert part.is_keyframe

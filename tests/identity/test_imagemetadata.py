"""Pictures without what was written beside the pixels."""

from __future__ import annotations

import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.imagemetadata import without_metadata
from identity.images import picture_of
from tests.identity.pictures import chunk, jpeg, png, riff, segment, webp

HOME = b"52.3702 N 4.8952 E, Ada's telephone"
# An odd one too: chunks of a WebP are filled up.
NOTES = st.binary(min_size=1, max_size=60).map(lambda noise: HOME + noise)


@given(NOTES, st.sampled_from([b"eXIf", b"tEXt", b"zTXt", b"tIME", b"prVt", b"CODE", b"acTL", b"fdAT"]))
def test_a_png_keeps_no_notes(note: bytes, kind: bytes) -> None:
    assert without_metadata("image/png", png(beside=chunk(kind, note))) == png()


@given(NOTES, st.sampled_from([*range(0xE0, 0xF0), 0xFE]))
def test_a_jpeg_keeps_no_notes(note: bytes, marker: int) -> None:
    assert without_metadata("image/jpeg", jpeg(beside=segment(marker, note))) == jpeg()


@given(NOTES, st.sampled_from([b"EXIF", b"XMP ", b"MINE", b"ANIM", b"ANMF"]))
def test_a_webp_keeps_no_notes_and_says_that_it_has_none(note: bytes, kind: bytes) -> None:
    noted = webp(beside=riff(kind, note), flags=0x10 | 0x08 | 0x04)
    assert without_metadata("image/webp", noted) == webp(flags=0x10)


def profile(colours: bytes) -> bytes:
    return chunk(b"iCCP", b"of a camera\0\0" + zlib.compress(colours))


def test_a_profile_that_is_a_bomb_or_none_or_one_too_many_goes() -> None:
    bomb = profile(bytes(50 << 20))
    for bad in (bomb, chunk(b"iCCP", b"none"), chunk(b"iCCP", b"x" * 80 + b"\0\0" + zlib.compress(b"x"))):
        assert without_metadata("image/png", png(beside=bad)) == png()
    good = profile(b"as it is")
    assert without_metadata("image/png", png(beside=good + good)) == png(beside=good)
    small = profile(bytes(2 << 20))
    began = time.process_time()
    assert without_metadata("image/png", png(beside=small * 400)) == png()
    assert time.process_time() - began < 0.05


def test_a_jpeg_keeps_no_small_copies_of_what_was_cut_off() -> None:
    for copy in (
        segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\1" + b"rgb"),
        segment(0xE0, b"JFXX\0\x10" + HOME),
        segment(0xE2, b"MPF\0" + HOME),
        segment(0xE2, b"FPXR\0" + HOME),
    ):
        assert without_metadata("image/jpeg", jpeg(beside=copy)) == jpeg()


def test_what_the_pixels_need_stays() -> None:
    for content_type, whole in (
        ("image/png", png(beside=chunk(b"tRNS", b"\0\1") + profile(b"as it is"))),
        ("image/jpeg", jpeg(beside=segment(0xE2, b"ICC_PROFILE") + segment(0xEE, b"Adobe"))),
        ("image/webp", webp(beside=riff(b"ALPH", b"abc") + riff(b"VP8 ", b"pixels"), flags=0x10)),
    ):
        assert without_metadata(content_type, whole) == whole


def test_a_jpeg_of_several_scans_stays_and_what_stands_behind_it_goes() -> None:
    scan = segment(0xC4, b"table") + segment(0xDA, b"\1\1\0\0\x3f\0") + b"more \xff\xd0 noise \xff\0"
    progressive = jpeg()[:-2] + scan + b"\xff\xd9"
    assert without_metadata("image/jpeg", progressive) == progressive
    assert without_metadata("image/jpeg", progressive + jpeg(beside=segment(0xE1, HOME))) == progressive
    noted_late = jpeg()[:-2] + segment(0xE1, HOME) + scan + b"\xff\xd9"
    assert without_metadata("image/jpeg", noted_late) == progressive
    assert without_metadata("image/jpeg", progressive[:-2]) is None


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("image/png", png(beside=chunk(b"tRNS", b"") * 80_000)),
        ("image/jpeg", jpeg(beside=segment(0xE1, b"") * 250_000)),
        ("image/jpeg", jpeg(beside=b"\xff" * 1_000_000)),
        ("image/webp", webp(beside=riff(b"ALPH", b"") * 130_000)),
        ("image/jpeg", jpeg()[:-2] + b"\xff\x00" * 500_000),
    ],
    ids=["chunks", "segments", "padding", "riff", "scan"],
)
def test_a_file_of_nothing_but_parts_holds_nobody_up(content_type: str, data: bytes) -> None:
    began = time.process_time()
    picture_of(data)
    assert without_metadata(content_type, data) is None
    assert time.process_time() - began < 0.05


def exif(order: str, orientation: int, *, kind: int = 3) -> bytes:
    """As cameras write it: where somebody lives, and how they held it."""
    entries = [(0x010F, 2, 4, b"Ada\0"), (0x0112, kind, 1, struct.pack(f"{order}HH", orientation, 0))]
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, len(entries))
    written = b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0" + head + written + bytes(4) + HOME


@given(st.sampled_from("<>"), st.integers(1, 8))
def test_a_photograph_does_not_lie_on_its_side_and_tells_nothing_else(order: str, orientation: int) -> None:
    cleaned = without_metadata("image/jpeg", jpeg(beside=segment(0xE1, exif(order, orientation))))
    assert cleaned is not None
    assert (HOME in cleaned, b"Ada" in cleaned) == (False, False)
    [(_, kept)] = [part.split(b"MM\0*") for part in [cleaned] if b"MM\0*" in part]
    assert struct.unpack_from(">IHHHIH", kept) == (8, 1, 0x0112, 3, 1, orientation)
    assert without_metadata("image/jpeg", cleaned) == cleaned
    assert picture_of(cleaned) == picture_of(jpeg())


@pytest.mark.parametrize(
    "note", [exif("<", 0), exif(">", 9), exif("<", 6, kind=4), exif("<", 6)[:20], b"Exif\0\0", b""]
)
def test_an_orientation_that_is_none_goes_with_the_rest(note: bytes) -> None:
    assert without_metadata("image/jpeg", jpeg(beside=segment(0xE1, note))) == jpeg()


@given(st.binary(max_size=200), st.sampled_from(["image/png", "image/jpeg", "image/webp"]), st.integers(0, 60))
def test_no_bytes_break_it_and_cleaning_twice_is_cleaning_once(noise: bytes, content_type: str, kept: int) -> None:
    whole = {"image/png": png(), "image/jpeg": jpeg(), "image/webp": webp()}[content_type]
    for data in (noise, whole[:kept] + noise):
        cleaned = without_metadata(content_type, data)
        if cleaned is not None and data[:2] == whole[:2]:
            assert without_metadata(content_type, cleaned) == cleaned

"""What kind of picture some bytes are."""

from __future__ import annotations

import io

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from identity.images import MAX_SIDE, Picture, picture_of
from tests.identity.pictures import jpeg, png, webp

SIDE = st.integers(1, MAX_SIDE)
KINDS = {
    "png": ("image/png", png(5, 6)),
    "jpeg": ("image/jpeg", jpeg(5, 6)),
    "webp": ("image/webp", webp(5, 6)),
}


@given(SIDE, SIDE, st.sampled_from([0xC0, 0xC1, 0xC2, 0xCF]), st.sampled_from([b"VP8 ", b"VP8L", b"VP8X"]))
def test_each_kind_is_told_with_its_sides(width: int, height: int, marker: int, kind: bytes) -> None:
    assert picture_of(jpeg(width, height, marker=marker, beside=b"\xff\xff")) == Picture("image/jpeg", width, height)
    assert picture_of(webp(width, height, kind=kind)) == Picture("image/webp", width, height)
    header = png(1, 1)
    sized = header[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + header[24:]
    assert picture_of(sized) == Picture("image/png", width, height)


@pytest.mark.parametrize(("width", "height"), [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1)])
def test_what_would_unfold_too_large_is_no_picture(width: int, height: int) -> None:
    assert picture_of(jpeg(width, height)) is None
    assert picture_of(webp(width, height)) is None
    assert picture_of(png(width, height)) is None


def test_a_webp_is_one_picture_as_large_as_it_says() -> None:
    for kind in (b"VP8 ", b"VP8L"):
        inner = webp(5, 6, kind=kind)[12:]
        assert picture_of(webp(5, 6, beside=inner)) == Picture("image/webp", 5, 6)
        assert picture_of(webp(5, 7, beside=inner)) is None, "it unfolds to what the frame says"
    assert picture_of(webp(5, 6, flags=0x02)) is None, "an animation"
    assert picture_of(webp(5, 6, beside=b"VP8 ")) is None


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_one_cut_short_is_never_taken_for_another_kind(kind: str, data: st.DataObject) -> None:
    content_type, whole = KINDS[kind]
    found = picture_of(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert found is None or found.content_type == content_type


@given(st.binary(max_size=200), st.sampled_from(sorted(KINDS)), st.integers(0, 40))
def test_no_bytes_break_it(noise: bytes, kind: str, kept: int) -> None:
    for data in (noise, KINDS[kind][1][:kept] + noise):
        found = picture_of(data)
        assert found is None or (1 <= found.width <= MAX_SIDE and 1 <= found.height <= MAX_SIDE)


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a" + bytes(40), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", png() + b"<script>"],
)
def test_other_files_and_what_only_begins_like_a_picture_are_none(data: bytes) -> None:
    assert picture_of(data) is None


def test_a_picture_of_another_maker_is_known() -> None:
    out = io.BytesIO()
    segno.make("a picture", micro=False).save(out, kind="png", scale=2, border=0)
    assert picture_of(out.getvalue()) == Picture("image/png", 42, 42)

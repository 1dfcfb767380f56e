"""Ranges, conditions and attachment names as RFC 9110, 6266 and 8187 have them."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import HTTP
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.objects.serving import (
    MAX_FILE_NAME_BYTES,
    ByteRange,
    Unsatisfiable,
    answer,
    content_disposition,
    parse_range,
)
from kernel.objects import ObjectInfo

SIZES = st.integers(0, 50)


@given(SIZES, st.integers(0, 60), st.integers(0, 60) | st.none())
def test_a_range_from_a_position_selects_what_slicing_does(size: int, first: int, last: int | None) -> None:
    found = parse_range(f"bytes={first}-{'' if last is None else last}", size)
    data = bytes(range(size))
    if last is not None and last < first:
        assert found is None
    elif first >= size:
        assert found == Unsatisfiable()
    else:
        assert isinstance(found, ByteRange)
        assert data[found.start : found.start + found.length] == data[first : size if last is None else last + 1]


@given(SIZES, st.integers(0, 60))
def test_a_suffix_range_selects_the_end(size: int, length: int) -> None:
    found = parse_range(f"bytes=-{length}", size)
    data = bytes(range(size))
    if length == 0 or size == 0:
        assert found == Unsatisfiable()
    else:
        assert isinstance(found, ByteRange)
        assert data[found.start : found.start + found.length] == data[-length:]


@given(st.text(max_size=40) | st.from_regex(r"(bytes|lines)=[0-9,\- ]{0,20}", fullmatch=True), SIZES)
@example("bytes=-", 10)
@example("bytes=0-1,3-4", 10)
@example("bytes=٣-٤", 10)
@example("bytes=99999999999999999999-", 10)
@example("items=0-1", 10)
def test_no_header_selects_anything_outside(header: str, size: int) -> None:
    found = parse_range(header, size)
    if isinstance(found, ByteRange):
        assert 0 <= found.start < found.start + found.length <= size


def test_several_ranges_and_other_units_are_ignored() -> None:
    assert parse_range("bytes=0-1,3-4", 10) is None
    assert parse_range("items=0-1", 10) is None
    assert parse_range("bytes=abc", 10) is None
    assert parse_range(None, 10) is None


def named(header: str) -> str | None:
    """The name a careful reader takes from the header (the extended form, if there is one)."""
    message = EmailMessage(policy=HTTP)
    message["Content-Disposition"] = header
    extended = re.search(r"filename\*=UTF-8''([^;]*)", header)
    return unquote(extended[1], errors="strict") if extended else message.get_filename()


@given(st.text(max_size=300))
@example('a"; filename="evil.exe')
@example("a\r\nSet-Cookie: x=1")
@example("\\")
@example("invoice\u202egnp.exe")
@example("../../etc/passwd")
@example("\ud800")
@example("%00")
@example(" . ")
@example("ä" * 200 + ".pdf")
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    header = content_disposition(name)
    assert re.fullmatch(
        r"attachment; filename=\"[ -!#$&-\[\]-~]*\"(; filename\*=UTF-8''(%[0-9A-F]{2}|[A-Za-z0-9!#$&+.^_`|~-])+)?",
        header,
    )
    shown = named(header)
    assert shown
    assert len(shown.encode()) <= MAX_FILE_NAME_BYTES
    assert not set(shown) & set("/\\\r\n\u202e")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", 'attachment; filename="report.pdf"'),
        ("Grüße.txt", "attachment; filename=\"Gr__e.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt"),
        ("東京.png", "attachment; filename=\"__.png\"; filename*=UTF-8''%E6%9D%B1%E4%BA%AC.png"),
        ('a"b.txt', "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
        ("a/b\\c", 'attachment; filename="a_b_c"'),
        ("\x00\r\n", 'attachment; filename="download"'),
        ("x" * 300 + ".tar", f'attachment; filename="{"x" * 251}.tar"'),
    ],
)
def test_names_are_written_as_browsers_read_them(name: str, expected: str) -> None:
    assert content_disposition(name) == expected


INFO = ObjectInfo("files/1", 1000, "image/png", "abc", 1_700_000_000.0)


def test_the_whole_object() -> None:
    whole = answer(INFO, CIMultiDict(), file_name=None, max_age=59.9)
    assert (whole.status, whole.start, whole.length) == (200, 0, 1000)
    assert whole.headers["Content-Length"] == "1000"
    assert whole.headers["Content-Type"] == "image/png"
    assert whole.headers["ETag"] == '"abc"'
    assert whole.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert whole.headers["Cache-Control"] == "private, max-age=59"
    assert whole.headers["Content-Disposition"] == "inline"


def test_a_part_of_it() -> None:
    part = answer(INFO, CIMultiDict({"range": "bytes=10-19"}), file_name=None, max_age=60)
    assert (part.status, part.start, part.length) == (206, 10, 10)
    assert part.headers["Content-Range"] == "bytes 10-19/1000"
    assert part.headers["Content-Length"] == "10"


def test_a_part_beyond_it() -> None:
    beyond = answer(INFO, CIMultiDict({"Range": "bytes=1000-"}), file_name=None, max_age=60)
    assert (beyond.status, beyond.length) == (416, 0)
    assert beyond.headers["Content-Range"] == "bytes */1000"


@pytest.mark.parametrize("tags", ['"abc"', 'W/"abc"', '"x", "abc"', "*"])
def test_what_the_client_has_is_not_sent_again(tags: str) -> None:
    unchanged = answer(INFO, CIMultiDict({"If-None-Match": tags}), file_name=None, max_age=60)
    assert (unchanged.status, unchanged.length) == (304, 0)
    assert "Content-Length" not in unchanged.headers


@pytest.mark.parametrize(
    ("validator", "status"),
    [('"abc"', 206), ('"other"', 200), ('W/"abc"', 200), ("Tue, 14 Nov 2023 22:13:20 GMT", 206), ("yesterday", 200)],
)
def test_a_range_of_another_version_is_the_whole_of_this_one(validator: str, status: int) -> None:
    headers = CIMultiDict({"Range": "bytes=0-9", "If-Range": validator})
    assert answer(INFO, headers, file_name=None, max_age=60).status == status


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/html; charset=utf-8"])
def test_what_could_run_under_our_origin_is_only_downloaded(kind: str) -> None:
    info = ObjectInfo("k", 1, kind, "e", 0.0)
    shown = answer(info, CIMultiDict(), file_name=None, max_age=60)
    assert shown.headers["Content-Disposition"].startswith("attachment")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in shown.headers["Content-Security-Policy"]

"""Serving objects over HTTP, the pure part: ranges, validators, attachment names, headers (RFC 9110, 6266, 8187).

The handler in the API moves bytes; everything it has to decide is decided here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import quote

from kernel.objects import ObjectInfo

MAX_FILE_NAME_BYTES = 255

# Everything else is only ever offered as a download: a page or a drawing of a user's, opened in place, would run
# its script under our origin.
SHOWN_IN_PLACE = frozenset(
    {
        "application/pdf",
        "audio/mpeg",
        "audio/ogg",
        "audio/webm",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/plain",
        "video/mp4",
        "video/webm",
    }
)

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.IGNORECASE | re.ASCII)
_UNSAFE_IN_QUOTES = re.compile(r"[^ !#$&\'()+,\-.0-9;=@A-Z\[\]^_`a-z{}~]")
# RFC 8187's attr-char beyond letters and digits.
_ATTR_CHARS = "!#$&+-.^_`|~"
# Bidirectional controls make "exe.gpj" read as "jpg.exe".
_DISGUISES = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class ByteRange:
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """The range lies wholly outside the object: 416."""


def parse_range(header: str | None, size: int) -> ByteRange | Unsatisfiable | None:
    """The one range asked for; None means the whole object.

    A header that is malformed, in other units or names several ranges is ignored, as RFC 9110 section 14.2 allows.
    """
    matched = _RANGE.fullmatch(header.strip()) if header is not None else None
    if matched is None or matched[0] == "" or (not matched[1] and not matched[2]):
        return None
    if not matched[1]:
        length = min(int(matched[2]), size)
        return ByteRange(size - length, length) if length else Unsatisfiable()
    first = int(matched[1])
    last = int(matched[2]) if matched[2] else max(first, size - 1)
    if last < first:
        return None
    if first >= size:
        return Unsatisfiable()
    return ByteRange(first, min(last, size - 1) - first + 1)


def content_disposition(file_name: str | None) -> str:
    """``inline`` without a name; else an attachment named so, in a form no name can break out of."""
    if file_name is None:
        return "inline"
    name = _tidied(file_name)
    ascii_name = _UNSAFE_IN_QUOTES.sub("_", name)
    if ascii_name == name:
        return f'attachment; filename="{ascii_name}"'
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"


def _tidied(file_name: str) -> str:
    """A plain file name: no paths, no controls, no disguises, short enough for every file system."""
    text = file_name.encode("utf-8", "replace").decode()
    kept = "".join("_" if char in "/\\" else char for char in text if _is_visible(char)).strip(" .")
    if len(kept.encode()) <= MAX_FILE_NAME_BYTES:
        return kept or "download"
    stem, dot, suffix = kept.rpartition(".")
    ending = f"{dot}{suffix}" if stem and len(suffix.encode()) <= 16 else ""
    room = MAX_FILE_NAME_BYTES - len(ending.encode())
    return kept.encode()[:room].decode(errors="ignore") + ending


def _is_visible(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cs", "Zl", "Zp"} and char not in _DISGUISES


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and headers of a GET or HEAD, and which bytes belong to a GET (``length`` 0: none)."""

    status: int
    headers: Mapping[str, str]
    start: int
    length: int


def answer(info: ObjectInfo, request_headers: Mapping[str, str], *, file_name: str | None, max_age: float) -> Answer:
    """What a GET or HEAD of ``info`` answers: 200, 206, 304 or 416. Header names are matched as they come, so hand
    in a case-insensitive mapping. ``max_age``: seconds the signed URL still lives."""
    headers = _headers(info, file_name, max_age)
    if _none_match(request_headers.get("If-None-Match"), info.etag):
        return Answer(304, {name: headers[name] for name in ("ETag", "Cache-Control", "Last-Modified")}, 0, 0)
    wanted = parse_range(request_headers.get("Range"), info.size)
    if not _range_applies(request_headers.get("If-Range"), info):
        wanted = None
    match wanted:
        case Unsatisfiable():
            return Answer(416, {"Content-Range": f"bytes */{info.size}", "Content-Length": "0"}, 0, 0)
        case ByteRange(start, length):
            span = f"bytes {start}-{start + length - 1}/{info.size}"
            return Answer(206, headers | {"Content-Range": span, "Content-Length": str(length)}, start, length)
        case None:
            return Answer(200, headers | {"Content-Length": str(info.size)}, 0, info.size)


def _headers(info: ObjectInfo, file_name: str | None, max_age: float) -> dict[str, str]:
    kind = info.content_type.partition(";")[0].strip().lower()
    in_place = file_name is None and kind in SHOWN_IN_PLACE
    # Chrome's own PDF viewer does not open inside a sandbox; a PDF's script never sees our origin anyway.
    sandbox = "" if kind == "application/pdf" else "; sandbox"
    return {
        "Content-Type": info.content_type,
        "Content-Disposition": content_disposition(None if in_place else file_name or "download"),
        "ETag": f'"{info.etag}"',
        "Last-Modified": formatdate(info.modified_at, usegmt=True),
        "Accept-Ranges": "bytes",
        "Cache-Control": f"private, max-age={max(0, int(max_age))}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; "
        f"style-src 'unsafe-inline'{sandbox}",
    }


def _none_match(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    offered = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return f'"{etag}"' in offered or "*" in offered


def _range_applies(header: str | None, info: ObjectInfo) -> bool:
    if header is None:
        return True
    return header.strip() in {f'"{info.etag}"', formatdate(info.modified_at, usegmt=True)}

"""What may be asked of an object store at all: keys, prefixes, content types, part numbers, sizes.

All adapters refuse the same things before anything reaches a disk or a wire.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kernel.errors import Malformed
from kernel.objects import UploadedPart

MAX_KEY = 512
MAX_PARTS = 10_000
MIN_PART = 5 << 20
# S3's bound on one request body; larger objects go up in parts.
MAX_BODY = 5 << 30
# SigV4 knows no longer validity.
MAX_EXPIRY = 7 * 86400.0

_KEY = re.compile(r"(?!(?:.*/)?\.{1,2}(?:/|\Z))[A-Za-z0-9._-]{1,255}(?:/[A-Za-z0-9._-]{1,255})*")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._-]+/)*[A-Za-z0-9._-]*")
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"  # noqa: S105 - RFC 9110's word for a run of characters
_CONTENT_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(?:; ?{_TOKEN}=(?:{_TOKEN}|"[A-Za-z0-9 !#$&^_.,+/-]*"))*')
_ETAG = re.compile(r"[A-Za-z0-9-]{1,128}")
_UPLOAD = re.compile(r"[A-Za-z0-9._~=+/-]{1,1024}")


def checked_key(key: str) -> str:
    if len(key) > MAX_KEY or not _KEY.fullmatch(key):
        raise Malformed(
            f"An object's key is segments of A-Z a-z 0-9 . _ - joined by /, none of them . or .. "
            f"or longer than 255, at most {MAX_KEY} characters.",
            code="invalid_key",
        )
    return key


def checked_prefix(prefix: str) -> str:
    """A prefix may end anywhere in a key, in the middle of a segment too; the empty one begins every key."""
    if len(prefix) > MAX_KEY or not _PREFIX.fullmatch(prefix):
        raise Malformed("A prefix has the characters of an object's key.", code="invalid_key")
    return prefix


def checked_content_type(content_type: str) -> str:
    if len(content_type) > 255 or not _CONTENT_TYPE.fullmatch(content_type):
        raise Malformed("A content type looks like type/subtype; name=value.", code="invalid_content_type")
    return content_type


def checked_size(size: int, *, most: int = MAX_BODY) -> int:
    if not 0 <= size <= most:
        raise Malformed(f"A size is between 0 and {most} bytes; larger objects go up in parts.", code="invalid_size")
    return size


def checked_number(number: int) -> int:
    if not 1 <= number <= MAX_PARTS:
        raise Malformed(f"Parts are numbered from 1 to {MAX_PARTS}.", code="invalid_part")
    return number


def checked_etag(etag: str) -> str:
    if not _ETAG.fullmatch(etag):
        raise Malformed("A part's ETag is the one its upload answered, without quotes.", code="invalid_part")
    return etag


def checked_upload(upload: str) -> str:
    if not _UPLOAD.fullmatch(upload):
        raise Malformed("An upload's id is the one its begin answered.", code="invalid_upload")
    return upload


def checked_expiry(expires_in: float) -> float:
    if not 1.0 <= expires_in <= MAX_EXPIRY:
        raise Malformed("A signed URL lives between a second and seven days.", code="invalid_expiry")
    return expires_in


def checked_parts(parts: Sequence[UploadedPart]) -> list[UploadedPart]:
    """In the order of their numbers, whatever order they were handed in."""
    ordered = sorted(parts, key=lambda part: checked_number(part.number))
    if not ordered or len({part.number for part in ordered}) < len(ordered):
        raise Malformed("An upload is completed with at least one part, each number once.", code="invalid_part")
    for part in ordered:
        checked_etag(part.etag)
    return ordered

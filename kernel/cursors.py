"""Opaque page cursors: a position in an ordering, never an offset, so they survive inserts."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from kernel.errors import Malformed

Item = TypeVar("Item")
Position = TypeVar("Position")

# A cursor we made is well under this; anything longer was not made by us.
MAX_CURSOR_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a listing; ``next_cursor`` is None on the last page."""

    items: list[Item]
    next_cursor: str | None


def encode_cursor(listing: str, position: object) -> str:
    """``listing`` names the ordering, so that a cursor of one list is refused by another. A position that is too
    long to be taken back is a ValueError here: it must not end someone's paging with a bad_cursor of our making."""
    packed = msgspec.msgpack.encode((listing, position))
    cursor = base64.urlsafe_b64encode(packed).rstrip(b"=").decode("ascii")
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise ValueError(f"a cursor has at most {MAX_CURSOR_LENGTH} characters; order {listing} by something shorter")
    return cursor


def decode_cursor(listing: str, cursor: str, position_type: type[Position]) -> Position:
    """Raises Malformed ``bad_cursor``. Cursors are not signed: whoever makes one up gets any position that
    ``position_type`` allows, so that type states its bounds (a store's integers, text without U+0000)."""
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise _bad_cursor()
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        packed = base64.b64decode(padded, altchars=b"-_", validate=True)
        made_for, raw = msgspec.msgpack.decode(packed, type=tuple[str, msgspec.Raw])
        position = msgspec.msgpack.decode(raw, type=position_type)
    except (
        UnicodeEncodeError,
        binascii.Error,
        msgspec.MsgspecError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise _bad_cursor() from error
    if made_for != listing:
        raise _bad_cursor()
    return position


def _bad_cursor() -> Malformed:
    return Malformed("This cursor is not one that this list handed out.", code="bad_cursor")

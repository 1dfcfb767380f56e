"""Places in lists that are ordered by a moment and then by an id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from msgspec import Meta, Struct

from kernel.cursors import Page, decode_cursor, encode_cursor

Item = TypeVar("Item")

MICROSECONDS = 1_000_000


# Cursors can be made up by whoever likes to: whole numbers, within what stores keep and floats hold exactly.
class _Place(Struct, frozen=True, array_like=True):
    moment: Annotated[int, Meta(ge=0, le=1 << 53)]
    id: UUID


def place_of(listing: str, cursor: str | None) -> tuple[float, UUID] | None:
    """Raises Malformed ``bad_cursor``."""
    if cursor is None:
        return None
    place = decode_cursor(listing, cursor, _Place)
    return place.moment / MICROSECONDS, place.id


def page_of(listing: str, found: Sequence[Item], limit: int, place: Callable[[Item], tuple[float, UUID]]) -> Page[Item]:
    """``found`` has one more than ``limit`` when there is a next page."""
    shown = list(found[:limit])
    if len(found) <= limit:
        return Page(shown, None)
    moment, identifier = place(shown[-1])
    return Page(shown, encode_cursor(listing, _Place(round(moment * MICROSECONDS), identifier)))

"""What every list takes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.wire import Wire
from kernel.cursors import MAX_CURSOR_LENGTH


class Paging(Wire, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(max_length=MAX_CURSOR_LENGTH)] | None = None

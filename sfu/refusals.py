"""What a room refuses, by the codes of docs/signaling.md. Everything refused has changed nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kernel.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Overloaded,
    RateLimited,
    SecureConnectError,
    TooLarge,
    Unprocessable,
)

_KINDS: Final[Mapping[str, type[SecureConnectError]]] = {
    "encryption_required": Forbidden,
    "invalid_name": Unprocessable,
    "invalid_sdp": Unprocessable,
    "metadata_too_long": TooLarge,
    "mode_forbids_clear_media": Forbidden,
    "negotiation_in_progress": Conflict,
    "node_overloaded": Overloaded,
    "not_granted": Forbidden,
    "not_joined": Conflict,
    "rate_limited": RateLimited,
    "room_ended": Conflict,
    "room_full": Overloaded,
    "too_many_tracks": Unprocessable,
    "unknown_participant": NotFound,
    "unknown_track": NotFound,
}


def refused(code: str, detail: str) -> SecureConnectError:
    return _KINDS[code](detail, code=code)

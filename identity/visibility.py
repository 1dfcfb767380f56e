"""What somebody lets others see, and who may ask for their friendship. Pure."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from typing import Final

import msgspec

from kernel.errors import FieldError, Unprocessable

MAX_STATUS_TEXT = 140


class Audience(Enum):
    EVERYONE = "everyone"
    FRIENDS = "friends"
    NOBODY = "nobody"

    def admits(self, *, friend: bool) -> bool:
        return self is Audience.EVERYONE or (self is Audience.FRIENDS and friend)


class Askers(Enum):
    EVERYONE = "everyone"
    FRIENDS_OF_FRIENDS = "friends_of_friends"
    NOBODY = "nobody"


class Visibility(msgspec.Struct, frozen=True):
    """``status`` is whether somebody is there and what they say of it; ``last_seen`` when they were there last."""

    status: Audience = Audience.EVERYONE
    last_seen: Audience = Audience.FRIENDS
    friend_requests: Askers = Askers.EVERYONE


# Of everybody who has not chosen.
USUAL: Final = Visibility()

# Line breaks, other controls, and what turns the direction of what follows it.
_UNREADABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def status_text(text: str) -> str | None:
    """One line; None for an empty one. Raises Unprocessable ``invalid_status_text``."""
    line = unicodedata.normalize("NFC", text).strip()
    if len(line) > MAX_STATUS_TEXT or _UNREADABLE.search(line):
        message = f"needs to be one line of at most {MAX_STATUS_TEXT} characters"
        raise Unprocessable(
            f"This status text {message}.",
            code="invalid_status_text",
            fields=[FieldError("status_text", message)],
        )
    return line or None

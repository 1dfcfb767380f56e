"""What can go wrong for who is in a room."""

from __future__ import annotations


class RoomError(Exception):
    """``code`` is stable: one of docs/signaling.md or of the classes below. ``detail`` is for people."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Refused(RoomError):
    """The server said no."""


class Disconnected(RoomError):
    """There is no socket at the moment (``disconnected``), the server was not reached (``unreachable``), it did not
    answer in time (``no_answer``), or media did not come to be (``no_media``)."""


class Ended(RoomError):
    """The room is over for us: the codes are those of the event ``RoomEnded``, and ``left`` when it was us."""


class NotEncrypted(RoomError):
    """``secret_needed``: what was asked for needs the secret of the room's link."""

"""What the server says by itself, as bytes: one line of the table for each row of docs/signaling.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sfu import notices
from sfu.notices import Notice
from signaling.messages import DataView, JoinedView, TrackView, joined_view, track_view

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Telling:
    """``view`` is the type of the data on the wire, ``of`` makes it of a notice."""

    name: str
    view: Any
    of: Callable[[Any], object]


def _itself(kind: type[Notice]) -> Telling:
    return Telling(kind.type, kind, lambda notice: notice)


def _its_participant(kind: type[notices.ParticipantJoined | notices.ParticipantUpdated]) -> Telling:
    return Telling(kind.type, notices.Participant, lambda notice: notice.participant)


def _its_data(notice: notices.Data) -> DataView:
    return DataView(notice.sender, notice.payload, notice.reliable)


TELLINGS: Final[Mapping[type[Notice], Telling]] = {
    notices.ParticipantJoined: _its_participant(notices.ParticipantJoined),
    notices.ParticipantUpdated: _its_participant(notices.ParticipantUpdated),
    notices.ParticipantLeft: _itself(notices.ParticipantLeft),
    notices.TrackPublished: Telling("track_published", TrackView, lambda notice: track_view(notice.track)),
    notices.TrackUnpublished: _itself(notices.TrackUnpublished),
    notices.TrackMuted: _itself(notices.TrackMuted),
    notices.Slots: _itself(notices.Slots),
    notices.MoreSlots: _itself(notices.MoreSlots),
    notices.Layers: _itself(notices.Layers),
    notices.Quality: _itself(notices.Quality),
    notices.Speakers: _itself(notices.Speakers),
    notices.Data: Telling("data", DataView, _its_data),
    notices.Reaction: _itself(notices.Reaction),
    notices.Gate: _itself(notices.Gate),
    notices.ModeChanged: _itself(notices.ModeChanged),
    notices.Ended: _itself(notices.Ended),
}

# Not in the table: what it says of the socket is known to the conversation alone.
ADMITTED: Final = Telling(notices.Admitted.type, JoinedView, lambda notice: notice.joined)


class Scribe:
    """Writes notices. One that goes to many in a row is written once, and its bytes are shared."""

    def __init__(self) -> None:
        self._last: Notice | None = None
        self._written = b""

    def written(self, notice: Notice, resume_token: str) -> bytes:
        if isinstance(notice, notices.Admitted):
            return _encoder.encode(joined_view(notice.joined, resume_token))
        if notice is not self._last:
            self._written = _encoder.encode(TELLINGS[type(notice)].of(notice))
            self._last = notice
        return self._written

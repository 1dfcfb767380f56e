"""Which layers one subscriber is sent, what the engine is told of it, and what the subscriber is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from media import engine
from media.codecs.names import Kind
from media.engine import Engine, Ladder, SinkId, TransportStats
from sfu import notices
from sfu.allocation import Allocation, Choice, Reason, Visible, allocated
from sfu.connection import Connection
from sfu.meeting import Meeting
from sfu.notices import ConnectionState, Quality, TrackQuality
from sfu.participants import LiveTrack, Participant, Want

# What is assumed until the engine has an idea: a picture of 720 lines and a few small ones.
UNKNOWN_BITRATE: Final = 2_500_000
# What Opus takes with everything around it; sound comes before all pictures.
AUDIO_BITRATE: Final = 48_000
# So much more or less is worth telling the engine what it should probe up to.
_DESIRED_STEP: Final = 0.1

_POOR_LOSS: Final = 0.1
_POOR_ROUND_TRIP: Final = 0.5
_SHORT: Final = frozenset({Reason.BITRATE, Reason.LOWEST_KEPT, Reason.SURVIVAL})
# A connection at the edge of poor is not told of more often.
_TELL_EVERY: Final = 1.0

_USUAL: Final = Want()
_LOWEST: Final = (engine.Layer(0, 2),)


def look(media: Engine, meeting: Meeting, one: Participant, stats: TransportStats | None, now: float) -> None:
    connection, seat = one.connection, one.seat
    if connection is None or connection.transport is None:
        return
    shown = {mid: track for mid, track in seat.held.items() if meeting.tracks[track].announced.kind is Kind.VIDEO}
    sounds = len(seat.held) - len(shown)
    available = None if stats is None else stats.available_bitrate
    budget = max(0, (UNKNOWN_BITRATE if available is None else available) - sounds * AUDIO_BITRATE)
    visible = [_visible(meeting, one, meeting.tracks[track]) for track in shown.values()]
    seat.layers = allocated(seat.layers, visible, budget, now)
    _pause(media, connection, one, shown)
    ladder = _ladder(connection, shown, seat.layers, sounds * AUDIO_BITRATE)
    if _differs(seat.ladder, ladder):
        seat.ladder = ladder
        media.set_policy(connection.transport, ladder)
    _tell_quality(one, _quality(connection, seat.layers, stats), now)


def _visible(meeting: Meeting, one: Participant, track: LiveTrack) -> Visible[str]:
    want = one.wants.get(track.id, _USUAL)
    return Visible(
        track.id,
        track.rungs,
        want.width,
        want.height,
        want.fps,
        want.priority,
        is_screen=track.announced.source.is_screen,
        is_speaker=meeting.floor.heard.dominant == track.publisher.id,
    )


def _pause(media: Engine, connection: Connection, one: Participant, shown: Mapping[str, str]) -> None:
    choices = one.seat.layers.choices
    paused = frozenset(mid for mid, track in shown.items() if choices[track].why.reason is Reason.NOT_VISIBLE)
    for mid in paused ^ one.seat.paused:
        media.pause(connection.sink(mid), paused=mid in paused)
    one.seat.paused = paused


def _ladder(connection: Connection, shown: Mapping[str, str], layers: Allocation[str], sound: int) -> Ladder:
    allowed: dict[SinkId, tuple[engine.Layer, ...]] = {}
    for mid, track in shown.items():
        rungs = layers.choices[track].ladder
        found = tuple(engine.Layer(rung.spatial, rung.temporal) for rung in rungs)
        # A sink without a word would be sent the highest there is, as soon as something comes again.
        allowed[connection.sink(mid)] = found or _LOWEST
    return Ladder(allowed, layers.desired + sound)


def _differs(old: Ladder | None, new: Ladder) -> bool:
    if old is None or old.allowed != new.allowed:
        return True
    return abs(new.desired_bitrate - old.desired_bitrate) > _DESIRED_STEP * old.desired_bitrate


def _quality(connection: Connection, layers: Allocation[str], stats: TransportStats | None) -> Quality:
    tracks = tuple(_track_quality(track, choice) for track, choice in layers.choices.items())
    return Quality(tracks, *_state(connection, layers, stats))


def _state(
    connection: Connection, layers: Allocation[str], stats: TransportStats | None
) -> tuple[ConnectionState, str]:
    if not connection.has_consent:
        return ConnectionState.LOST, "no_consent"
    if stats is not None and stats.lost_fraction >= _POOR_LOSS:
        return ConnectionState.POOR, "loss"
    if stats is not None and stats.round_trip is not None and stats.round_trip >= _POOR_ROUND_TRIP:
        return ConnectionState.POOR, "delay"
    if any(choice.why.reason in _SHORT for choice in layers.choices.values()):
        return ConnectionState.POOR, "bitrate"
    return ConnectionState.GOOD, "fits"


def _track_quality(track: str, choice: Choice) -> TrackQuality:
    why = choice.why
    if not choice.ladder:
        return TrackQuality(track, None, 0, 0, why.reason.value, _DETAILS[why.reason])
    top = choice.ladder[-1]
    detail = _DETAILS[why.reason].format(missing=why.missing // 1000, needs=why.needs // 1000, wait=why.wait)
    return TrackQuality(track, top.spatial, top.width, top.height, why.reason.value, detail)


_DETAILS: Final[Mapping[Reason, str]] = {
    Reason.FILLS_TILE: "as large as it is shown",
    Reason.HIGHEST: "the largest there is",
    Reason.BITRATE: "{missing} kbit/s are missing; all of it needs {needs}",
    Reason.HEADROOM: "{missing} kbit/s more and it is sent larger without trembling",
    Reason.LOWEST_KEPT: "the bitrate is too low even for this",
    Reason.DWELL: "switched a moment ago; again in {wait:.1f} s",
    Reason.SURVIVAL: "made smaller so that everything fits",
    Reason.NOT_VISIBLE: "not shown",
    Reason.NO_LAYERS: "its publisher sends nothing",
}


def _tell_quality(one: Participant, quality: Quality, now: float) -> None:
    """On a change of what is sent or why; numbers in words alone are none."""
    seat = one.seat
    if not one.connection or not one.connection.was_connected:
        return
    if seat.quality is not None and (_gist(seat.quality) == _gist(quality) or now - seat.quality_at < _TELL_EVERY):
        return
    seat.quality, seat.quality_at = quality, now
    one.tell(quality)


def _gist(quality: notices.Quality) -> object:
    shown = {one.track: (one.layer, one.width, one.height, one.why) for one in quality.tracks}
    return shown, quality.connection, quality.why

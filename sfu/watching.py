"""The look at all rooms, ten times a second: who speaks, who has which slot, which layers everybody gets and publishers
are asked for. What did not change is passed over. One look sees so many subscribers at most, whoever waited longest
first, and stops after every few of them, for others to have the loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from media.codecs.names import Kind
from media.engine import AudioLevel, SourceId, SourceStats, TransportId, TransportStats
from sfu import layering, notices
from sfu.admission import AUDIO_SLOTS, VIDEO_SLOTS
from sfu.allocation import Reason
from sfu.meeting import Meeting
from sfu.node import Node
from sfu.participants import LiveTrack, Participant
from sfu.shortlist import Wishes
from sfu.slots import assigned
from sfu.speakers import Level

LOOK_EVERY: Final = 0.1
# Figures and layers twice a second: an allocation holds for two seconds anyway, and the engine steps down by itself.
MEASURE_EVERY: Final = 0.5
MOST_SUBSCRIBERS: Final = 100
# Where the speakers of a room change, a subscriber takes a third of a millisecond.
SLICE: Final = 8
ROOMS_IN_A_SLICE: Final = 64


@dataclass(slots=True)
class _Figures:
    sources: Mapping[SourceId, SourceStats]
    transports: Mapping[TransportId, TransportStats]
    at: float


class Watch:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._figures: _Figures | None = None

    def look(self, meetings: Collection[Meeting], now: float) -> Iterator[None]:
        """Stops between slices of its work; meanwhile anybody may come and go."""
        engine = self._node.engine
        levels = engine.audio_levels()
        figures = self._figures
        is_measured = figures is None or now - figures.at >= MEASURE_EVERY
        if figures is None or is_measured:
            figures = self._figures = _Figures(engine.source_stats(), engine.transport_stats(), now)
            self._node.meters.engine_dropped(engine.drops())
        for number, meeting in enumerate(meetings):
            if number and number % ROOMS_IN_A_SLICE == 0:
                yield
            with self._node.contained("floor"):
                self._hear(meeting, levels, now)
            if is_measured:
                with self._node.contained("figures"):
                    _measure(meeting, figures, now)
        seen: dict[Meeting, None] = {}
        for number, (meeting, one) in enumerate(_due(meetings, now)):
            if number and number % SLICE == 0:
                yield
            seen[meeting] = None
            one.seat.looked_at = now
            with self._node.contained("subscriber"):
                self._look_at(meeting, one, figures, now)
        for meeting in seen:
            with self._node.contained("layers"):
                _ask(meeting, now)

    def _hear(self, meeting: Meeting, levels: Mapping[SourceId, AudioLevel], now: float) -> None:
        heard: dict[str, Level] = {}
        present: dict[str, None] = {}
        for track in meeting.tracks.values():
            if track.announced.kind is not Kind.AUDIO or track.muted_by is not None:
                continue
            speaker = track.publisher.id
            present[speaker] = None
            level = levels.get(track.source)
            if level is not None and (speaker not in heard or level.level < heard[speaker].level):
                heard[speaker] = Level(level.level, level.voice)
        if meeting.floor.hear(present, heard, now):
            meeting.version += 1
        news = meeting.floor.news(now)
        if news is not None:
            meeting.tell_hearers(notices.Speakers(news))

    def _look_at(self, meeting: Meeting, one: Participant, figures: _Figures, now: float) -> None:
        """Who has left meanwhile has no connection any more."""
        connection, seat = one.connection, one.seat
        if connection is None or connection.transport is None:
            return
        if seat.is_stale or seat.placed_version != meeting.version:
            self._place(meeting, one)
        layering.look(self._node.engine, meeting, one, figures.transports.get(connection.transport), now)

    def _place(self, meeting: Meeting, one: Participant) -> None:
        connection, seat = one.connection, one.seat
        if connection is None:
            return
        slots = connection.slots
        counts = {kind: sum(slot.kind is kind for slot in slots) for kind in Kind}
        wishes = Wishes(one.tracks, tuple(seat.held.values()), one.pinned, one.unwanted, counts)
        result = assigned(slots, seat.held, meeting.ranking.candidates(wishes))
        for change in result.changes:
            source = None if change.track is None else meeting.tracks[change.track].source
            self._node.engine.assign(connection.sink(change.mid), source)
            seat.reasons[change.mid] = change
        seat.held, seat.placed_version, seat.is_stale = result.held, meeting.version, False
        if result.changes:
            told = tuple(notices.SlotChange(change.mid, change.track, change.reason) for change in result.changes)
            one.tell(notices.Slots(told))
        missing = meeting.ranking.missing(wishes, tuple(seat.held.values())) if meeting.may_hear(one) else {}
        _tell_more_slots(one, counts, missing)


def _due(meetings: Iterable[Meeting], now: float) -> list[tuple[Meeting, Participant]]:
    due = [
        (meeting, one)
        for meeting in meetings
        for one in meeting.participants.values()
        if one.connection is not None and _is_due(meeting, one, now)
    ]
    due.sort(key=lambda pair: -1.0 if pair[1].seat.looked_at is None else pair[1].seat.looked_at)
    return due[:MOST_SUBSCRIBERS]


def _is_due(meeting: Meeting, one: Participant, now: float) -> bool:
    seat = one.seat
    if seat.is_stale or seat.placed_version != meeting.version:
        return True
    return seat.looked_at is None or now - seat.looked_at >= MEASURE_EVERY


def _tell_more_slots(one: Participant, counts: Mapping[Kind, int], missing: Mapping[Kind, int]) -> None:
    most = {Kind.AUDIO: AUDIO_SLOTS, Kind.VIDEO: VIDEO_SLOTS}
    audio, video = (min(missing.get(kind, 0), max(0, most[kind] - counts[kind])) for kind in (Kind.AUDIO, Kind.VIDEO))
    if (audio, video) != one.seat.more_slots:
        one.seat.more_slots = audio, video
        one.tell(notices.MoreSlots(audio, video))


def _measure(meeting: Meeting, figures: _Figures, now: float) -> None:
    for track in meeting.tracks.values():
        if track.announced.kind is Kind.VIDEO:
            stats = figures.sources.get(track.source)
            track.layers.note({} if stats is None else stats.layers)
            track.measure(now)


def _ask(meeting: Meeting, now: float) -> None:
    """Publishers for what anybody can be sent of their pictures; of what is muted too, or nobody would remember what
    its publisher was asked for when it comes back."""
    tracks = {track.id: track.layers.count for track in meeting.tracks.values() if track.announced.kind is Kind.VIDEO}
    needs = (need for one in meeting.participants.values() for need in _needed(meeting.tracks, one))
    for wanted in meeting.dynacast.look(tracks, needs, now):
        track = meeting.tracks[wanted.track]
        if wanted.layers > track.asked:
            track.expect(wanted.layers, now)
        track.asked = wanted.layers
        track.publisher.tell(notices.Layers(track.id, wanted.layers - 1 if wanted.layers else None))


def _needed(tracks: Mapping[str, LiveTrack], one: Participant) -> Iterable[tuple[str, int]]:
    """Of a picture of which nothing comes everything is needed, or it would never come."""
    for track, choice in one.seat.layers.choices.items():
        if choice.ladder:
            yield track, choice.ladder[-1].spatial + 1
        elif choice.why.reason is Reason.NO_LAYERS and track in tracks:
            yield track, tracks[track].layers.count

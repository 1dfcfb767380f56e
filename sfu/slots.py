"""Which track flows into which receive slot of a subscriber. Pure: what was and what is wanted in, changes out.

- A slot belongs to a stream of the subscriber's description, and a stream to one person at a time: browsers keep what
  is in one stream in step by its clock, so two people in one would drag each other along. A shared screen and its
  sound count as a person of their own.
- Sound and picture of one person share a stream where there is one with both slots.
- A track keeps its slot, wanted loudly or not, until slots run out. Then screens come first, those pinned next, those
  who speak next. Among equals whoever is there stays, so a change of order alone switches nothing.
- Sound comes before pictures: it may take the place that a picture of somebody else had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from media.codecs.names import Kind
from sfu.sources import Source

# Putting one in place can free a better one for another; in practice the second pass changes nothing.
MOST_PASSES: Final = 8
LAST_PLACE: Final = 1 << 30

Group = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Slot:
    """A media section that the subscriber offered to receive in, and the stream that the answer gave it."""

    mid: str
    kind: Kind
    stream: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A track that a subscriber may have. ``place`` is that of its person in the order of loudness, 0 for the
    loudest. One that is not ``wanted`` gets no slot."""

    track: str
    participant: str
    source: Source
    pinned: bool = False
    speaking: bool = False
    place: int = LAST_PLACE
    wanted: bool = True

    @property
    def group(self) -> Group:
        return self.participant, self.source.is_screen

    @property
    def tier(self) -> int:
        return next(
            (tier for tier, holds in enumerate((self.source.is_screen, self.pinned, self.speaking)) if holds), 3
        )


TIER_REASONS: Final = ("screen", "pinned", "speaking", "free_slot")


@dataclass(frozen=True, slots=True)
class Change:
    """``reason`` of a track that comes: ``screen``, ``pinned``, ``speaking``, ``free_slot``; of one that had another
    slot: ``paired`` with its sound or picture, or ``moved`` to make room. Of a slot that empties: ``ended``,
    ``unwanted``, ``outranked``, ``moved``."""

    mid: str
    track: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """``held`` by mid. ``waiting`` are the tracks that found no slot; more slots would help them."""

    held: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Stream:
    """The slots of one stream, as mids."""

    name: str
    mids: Mapping[Kind, str]

    @property
    def is_pair(self) -> bool:
        return len(self.mids) == len(Kind)


def laid_out(audio: Sequence[str], video: Sequence[str]) -> tuple[Slot, ...]:
    """Slots for these mids: audio shares streams with the first videos. Where there are several, one video stays apart,
    or a screen would find every stream taken by the sound of somebody else."""
    pairs = min(len(audio), max(1, len(video) - 1))
    sounds = (Slot(mid, Kind.AUDIO, f"s{index}" if index < pairs else f"a{index}") for index, mid in enumerate(audio))
    pictures = (Slot(mid, Kind.VIDEO, f"s{index}" if index < pairs else f"v{index}") for index, mid in enumerate(video))
    return (*sounds, *pictures)


def assigned(
    slots: Sequence[Slot], held: Mapping[str, str], candidates: Sequence[Candidate], *, most_video: int | None = None
) -> Assignment:
    """``candidates`` in the order in which they came. ``most_video`` shows fewer than there are slots: last-N."""
    now = held
    for _ in range(MOST_PASSES):
        then = _Pass(slots, now, candidates, most_video).run()
        if then == now:
            break
        now = then
    placed = set(now.values())
    waiting = tuple(one.track for one in candidates if one.wanted and one.track not in placed)
    return Assignment(now, tuple(_changes(slots, held, now, candidates)), waiting)


class _Pass:
    def __init__(
        self, slots: Sequence[Slot], held: Mapping[str, str], candidates: Sequence[Candidate], most_video: int | None
    ) -> None:
        wanted = {one.track: one for one in candidates if one.wanted}
        arrival = {one.track: index for index, one in enumerate(candidates)}
        self._streams = _streams(slots)
        self._held = {mid: track for mid, track in held.items() if track in wanted}
        there = set(self._held.values())

        def rank(one: Candidate) -> tuple[int, bool, int, int]:
            return one.tier, one.track not in there, one.place, arrival[one.track]

        count = {kind: sum(kind in stream.mids for stream in self._streams) for kind in Kind}
        if most_video is not None:
            count[Kind.VIDEO] = min(count[Kind.VIDEO], most_video)
        ranked = sorted(wanted.values(), key=rank)
        self._pictures = [one for one in ranked if one.source.kind is Kind.VIDEO]
        self._most_pictures = count[Kind.VIDEO]
        self._chosen = {kind: [one for one in ranked if one.source.kind is kind][: count[kind]] for kind in Kind}
        self._groups = {mid: wanted[track].group for mid, track in self._held.items()}
        self._owners: dict[str, Group] = {}
        self._result: dict[str, str] = {}

    def run(self) -> dict[str, str]:
        sounds = {one.group: one for one in reversed(self._chosen[Kind.AUDIO])}
        pictures = {one.group: one for one in reversed(self._chosen[Kind.VIDEO])}
        both = [one for one in self._chosen[Kind.AUDIO] if sounds[one.group] is one and one.group in pictures]
        self._place(both, Kind.AUDIO, pairs_only=True)
        alone = [one for one in self._chosen[Kind.AUDIO] if not self._is_placed(one)]
        self._part(alone)
        self._place([one for one in alone if not self._is_placed(one)], Kind.AUDIO)
        for one in both:
            self._join(pictures[one.group])
        rest = [one for one in self._chosen[Kind.VIDEO] if not self._is_placed(one)]
        self._place(rest[: len(self._free(Kind.VIDEO))], Kind.VIDEO)
        for one in self._pictures:
            # What nobody else may use, since a sound is in the stream, is for the picture of the same person.
            if not self._is_placed(one) and self._shown() < self._most_pictures:
                self._join(one)
        return self._result

    def _shown(self) -> int:
        return sum(stream.mids.get(Kind.VIDEO) in self._result for stream in self._streams)

    def _part(self, alone: Sequence[Candidate]) -> None:
        """Sounds without a picture leave their pairs for free streams of sound alone, as many as pictures need."""
        pairs = {mid: stream for stream in self._free(Kind.VIDEO) if (mid := stream.mids.get(Kind.AUDIO))}
        inside = {self._held[mid] for mid in pairs if mid in self._held}
        paired = [one for one in alone if one.track in inside]
        pictures = len(self._chosen[Kind.VIDEO]) - len(self._owners)
        short = max(0, pictures - (len(self._free(Kind.VIDEO)) - len(paired)))
        apart = [
            stream
            for stream in self._free(Kind.AUDIO)
            if not stream.is_pair and stream.mids[Kind.AUDIO] not in self._held
        ]
        for one, stream in zip(list(reversed(paired))[:short], apart, strict=False):
            self._take(one, Kind.AUDIO, (stream,))

    def _free(self, kind: Kind) -> list[_Stream]:
        return [stream for stream in self._streams if kind in stream.mids and stream.name not in self._owners]

    def _has_both(self, one: Candidate) -> bool:
        return all(any(other.group == one.group for other in self._chosen[kind]) for kind in Kind)

    def _is_placed(self, one: Candidate) -> bool:
        return one.track in self._result.values()

    def _join(self, picture: Candidate) -> None:
        """Into the stream where the sound of its person is."""
        for stream in self._streams:
            mid = stream.mids.get(Kind.VIDEO)
            if mid is not None and mid not in self._result and self._owners.get(stream.name) == picture.group:
                self._result[mid] = picture.track
                return

    def _place(self, ones: Sequence[Candidate], kind: Kind, *, pairs_only: bool = False) -> None:
        """Those that are where they may stay do; then the others, in rank, into what is left."""
        fitting = [stream for stream in self._streams if kind in stream.mids and (stream.is_pair or not pairs_only)]
        here = [
            one for one in ones if not self._take(one, kind, (s for s in fitting if self._in(s, kind) == one.track))
        ]
        left = [one for one in here if not self._take(one, kind, (s for s in fitting if self._is_own(s, one)))]
        for one in left:
            self._take(one, kind, sorted(fitting, key=partial(self._suits, one)))

    def _take(self, one: Candidate, kind: Kind, streams: Iterable[_Stream]) -> bool:
        for stream in streams:
            if stream.name not in self._owners:
                self._owners[stream.name] = one.group
                self._result[stream.mids[kind]] = one.track
                return True
        return False

    def _in(self, stream: _Stream, kind: Kind) -> str | None:
        mid = stream.mids.get(kind)
        return None if mid is None else self._held.get(mid)

    def _is_own(self, stream: _Stream, one: Candidate) -> bool:
        return any(self._groups.get(mid) == one.group for mid in stream.mids.values())

    def _suits(self, one: Candidate, stream: _Stream) -> tuple[bool, bool, bool]:
        """Where nobody is before where somebody has to move, and rather a picture than a sound. A pair is for those who
        need both."""
        is_taken = any(mid in self._held for mid in stream.mids.values())
        is_heard = self._in(stream, Kind.AUDIO) is not None
        return is_taken, is_heard, stream.is_pair and not self._has_both(one)


def _streams(slots: Sequence[Slot]) -> list[_Stream]:
    mids: dict[str, dict[Kind, str]] = {}
    for slot in slots:
        mids.setdefault(slot.stream, {}).setdefault(slot.kind, slot.mid)
    return [_Stream(name, kinds) for name, kinds in mids.items()]


def _changes(
    slots: Sequence[Slot], held: Mapping[str, str], now: Mapping[str, str], candidates: Sequence[Candidate]
) -> Iterable[Change]:
    known = {one.track: one for one in candidates}
    stream_of = {slot.mid: slot.stream for slot in slots}
    groups: dict[tuple[str, Kind], Group] = {}
    for mid, track in now.items():
        groups[stream_of[mid], known[track].source.kind] = known[track].group
    before, placed = set(held.values()), set(now.values())
    for slot in slots:
        old, new = held.get(slot.mid), now.get(slot.mid)
        if old == new:
            continue
        if new is not None:
            one = known[new]
            is_paired = all(groups.get((slot.stream, kind)) == one.group for kind in Kind)
            again = "paired" if is_paired else "moved"
            yield Change(slot.mid, new, again if new in before else TIER_REASONS[one.tier])
        elif old is not None:
            yield Change(slot.mid, None, _emptied(known.get(old), is_placed=old in placed))


def _emptied(old: Candidate | None, *, is_placed: bool) -> str:
    if old is None:
        return "ended"
    if not old.wanted:
        return "unwanted"
    return "moved" if is_placed else "outranked"

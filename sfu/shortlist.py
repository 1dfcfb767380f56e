"""Who of a large room comes into question for one subscriber's slots. Pure.

``sfu.slots`` ranks whatever it is given; given everybody, a room of a thousand would rank a thousand for each of a
thousand. The order of a room is made once, and each subscriber takes from its top as many as it has slots, with those
that it has already, those that it pinned, and the pictures of those that it will hear.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from media.codecs.names import Kind
from sfu.slots import Candidate


@dataclass(frozen=True, slots=True)
class Wishes:
    """Of one subscriber. ``slots`` counts those it has."""

    own: Collection[str]
    held: Collection[str]
    pinned: Collection[str]
    unwanted: Collection[str]
    slots: Mapping[Kind, int]


class Ranking:
    """Of one room: all its tracks as ``sfu.slots`` has them, in the order in which they came, and who is ``muted``.

    What is muted has a slot only where there are enough for all.
    """

    def __init__(self, candidates: Sequence[Candidate], muted: Collection[str]) -> None:
        self._arrival = {one.track: index for index, one in enumerate(candidates)}
        self._all = {one.track: one for one in candidates}
        self._muted = frozenset(muted)
        self._ranked = {
            kind: sorted(
                (one for one in candidates if one.source.kind is kind and one.track not in self._muted),
                key=lambda one: (one.tier, one.place, self._arrival[one.track]),
            )
            for kind in Kind
        }
        self._silent = {
            kind: [one for one in candidates if one.source.kind is kind and one.track in self._muted] for kind in Kind
        }
        self._pictures: dict[tuple[str, bool], list[Candidate]] = {}
        for one in self._ranked[Kind.VIDEO]:
            self._pictures.setdefault(one.group, []).append(one)

    def candidates(self, wishes: Wishes) -> list[Candidate]:
        """In the order in which they came."""
        chosen: dict[str, Candidate] = {}
        for kind in Kind:
            for one in self._top(kind, wishes):
                chosen[one.track] = one
        for one in [one for one in chosen.values() if one.source.kind is Kind.AUDIO]:
            for picture in self._pictures.get(one.group, ()):
                if self._is_wanted(picture.track, wishes):
                    chosen[picture.track] = picture
        for track in (*wishes.held, *wishes.pinned):
            known = self._all.get(track)
            if known is not None and track not in chosen and track not in wishes.own:
                is_wanted = track not in wishes.unwanted and track not in self._muted
                chosen[track] = known if is_wanted else replace(known, wanted=False)
        pinned = set(wishes.pinned)
        marked = (replace(one, pinned=True) if one.track in pinned else one for one in chosen.values())
        return sorted(marked, key=lambda one: self._arrival[one.track])

    def missing(self, wishes: Wishes, held: Collection[str]) -> Mapping[Kind, int]:
        """How many that can be heard or seen, and are wanted, have no slot."""
        return {
            kind: max(0, self._count(kind, wishes) - sum(self._is_shown(track, kind) for track in held))
            for kind in Kind
        }

    def _top(self, kind: Kind, wishes: Wishes) -> Iterator[Candidate]:
        most = wishes.slots.get(kind, 0)
        yield from islice(self._wanted(self._ranked[kind], wishes), most)
        spare = most - self._count(kind, wishes)
        if spare > 0:
            held = set(wishes.held)
            silent = sorted(self._wanted(self._silent[kind], wishes), key=lambda one: one.track not in held)
            yield from islice(silent, spare)

    def _wanted(self, ones: Iterable[Candidate], wishes: Wishes) -> Iterator[Candidate]:
        return (one for one in ones if self._is_wanted(one.track, wishes))

    def _is_wanted(self, track: str, wishes: Wishes) -> bool:
        return track not in wishes.own and track not in wishes.unwanted

    def _count(self, kind: Kind, wishes: Wishes) -> int:
        without = sum(self._is_shown(track, kind) for track in {*wishes.own, *wishes.unwanted})
        return len(self._ranked[kind]) - without

    def _is_shown(self, track: str, kind: Kind) -> bool:
        one = self._all.get(track)
        return one is not None and one.source.kind is kind and track not in self._muted

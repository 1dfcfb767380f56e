"""A subscriber's slots come out the same whether everybody was ranked for it or those who come into question."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from media.codecs.names import Kind
from sfu.shortlist import Ranking, Wishes
from sfu.slots import Candidate, assigned, laid_out
from sfu.sources import Source

PEOPLE = tuple("abcdefghij")


@st.composite
def rooms(draw: st.DrawFn) -> list[Candidate]:
    """Everybody has a place of their own in the order of loudness, as ``Speakers`` gives them."""
    places = draw(st.permutations(range(len(PEOPLE))))
    speaking = draw(st.sets(st.sampled_from(PEOPLE), max_size=3))
    published = draw(
        st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(Source)), unique=True, min_size=6, max_size=24)
    )
    return [
        Candidate(f"{who}-{source.value}", who, source, speaking=who in speaking, place=places[PEOPLE.index(who)])
        for who, source in published
    ]


def wishes(slots: tuple[int, int], held: tuple[str, ...] = (), **more: frozenset[str]) -> Wishes:
    nothing: frozenset[str] = frozenset()
    return Wishes(
        more.get("own", nothing),
        held,
        more.get("pinned", nothing),
        more.get("unwanted", nothing),
        {Kind.AUDIO: slots[0], Kind.VIDEO: slots[1]},
    )


@settings(max_examples=300)
@given(rooms(), st.tuples(st.integers(0, 4), st.integers(0, 5)), st.data())
def test_slots_are_given_as_if_everybody_had_been_asked(
    room: list[Candidate], counts: tuple[int, int], data: st.DataObject
) -> None:
    tracks = [one.track for one in room]
    some = st.frozensets(st.sampled_from(tracks), max_size=3)
    own, pinned, unwanted = (data.draw(some) for _ in range(3))
    slots = laid_out([f"a{n}" for n in range(counts[0])], [f"v{n}" for n in range(counts[1])])
    everybody = [
        replace(one, pinned=one.track in pinned, wanted=one.track not in unwanted)
        for one in room
        if one.track not in own
    ]
    held: dict[str, str] = {}
    for turn in range(3):
        louder = [replace(one, place=(one.place + turn * 3) % len(PEOPLE)) for one in everybody]
        ranking = Ranking([replace(one, place=(one.place + turn * 3) % len(PEOPLE)) for one in room], [])
        asked = wishes(counts, tuple(held.values()), own=own, pinned=pinned, unwanted=unwanted)
        expected = assigned(slots, held, louder)
        found = assigned(slots, held, ranking.candidates(asked))
        assert found.held == expected.held
        assert found.changes == expected.changes
        missing = ranking.missing(asked, tuple(found.held.values()))
        assert sum(missing.values()) == len(expected.waiting)
        held = dict(found.held)


def camera(who: str, place: int = 0) -> Candidate:
    return Candidate(f"{who}-camera", who, Source.CAMERA, place=place)


def test_a_large_room_is_not_ranked_for_each() -> None:
    room = [camera(f"guest {number}", number) for number in range(1000)]
    assert len(Ranking(room, []).candidates(wishes((3, 9), held=("guest 500-camera",)))) == 10


def test_what_is_muted_has_a_slot_where_there_are_enough_and_gives_way_where_not() -> None:
    room = [camera("ada", 0), camera("bob", 1), camera("eve", 2)]
    ranking = Ranking(room, ["ada-camera"])
    enough = ranking.candidates(wishes((0, 3)))
    assert [one.track for one in enough if one.wanted] == ["ada-camera", "bob-camera", "eve-camera"]
    short = ranking.candidates(wishes((0, 2), held=("ada-camera", "bob-camera")))
    assert [one.track for one in short if one.wanted] == ["bob-camera", "eve-camera"]
    assert ranking.missing(wishes((0, 2)), ["bob-camera", "eve-camera"]) == {Kind.AUDIO: 0, Kind.VIDEO: 0}
    assert ranking.missing(wishes((0, 1)), ["bob-camera"])[Kind.VIDEO] == 1


def test_one_who_is_not_wanted_is_named_as_such_where_it_was_shown() -> None:
    ranking = Ranking([camera("ada"), camera("bob", 1)], [])
    (ada, bob) = ranking.candidates(wishes((0, 2), held=("ada-camera",), unwanted=frozenset({"ada-camera"})))
    assert (ada.wanted, bob.wanted) == (False, True)

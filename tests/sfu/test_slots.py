"""Which track flows into which receive slot of a subscriber, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from media.codecs.names import Kind
from sfu.slots import Assignment, Candidate, Change, Slot, assigned, laid_out
from sfu.sources import Source

SLOTS = laid_out(["a0", "a1"], ["v0", "v1", "v2"])
STREAMS = {slot.mid: slot.stream for slot in SLOTS}


def camera(person: str) -> Candidate:
    return Candidate(f"{person}-camera", person, Source.CAMERA)


def microphone(person: str) -> Candidate:
    return Candidate(f"{person}-mic", person, Source.MICROPHONE)


def person(name: str, *, speaking: bool = False, place: int = 99) -> list[Candidate]:
    return [replace(one, speaking=speaking, place=place) for one in (microphone(name), camera(name))]


def screen(name: str) -> Candidate:
    return Candidate(f"{name}-screen", name, Source.SCREEN)


def everybody(*people: list[Candidate]) -> list[Candidate]:
    return [one for tracks in people for one in tracks]


def after(*companies: Sequence[Candidate], slots: Sequence[Slot] = SLOTS) -> Assignment:
    assignment = Assignment()
    for candidates in companies:
        assignment = assigned(slots, assignment.held, candidates)
    return assignment


def slot_of(held: Mapping[str, str], track: str) -> str | None:
    return next((mid for mid, other in held.items() if other == track), None)


def test_audio_shares_streams_with_the_first_videos() -> None:
    assert STREAMS == {"a0": "s0", "a1": "s1", "v0": "s0", "v1": "s1", "v2": "v2"}
    assert laid_out(["a"], []) == (Slot("a", Kind.AUDIO, "s0"),)
    assert [slot.stream for slot in laid_out(["a", "b"], ["v", "w"])] == ["s0", "a1", "s0", "v1"]


def test_a_screen_is_shown_even_where_everybody_speaks() -> None:
    slots = laid_out(["a0", "a1", "a2"], ["v0", "v1", "v2"])
    company = everybody(*(person(name, speaking=True) for name in "abc"))
    done = after(company, [*company, screen("a")], slots=slots)
    assert slot_of(done.held, "a-screen") == "v2"
    assert done.waiting == ("c-camera",)


def test_a_sound_alone_leaves_its_pair_to_a_picture_that_would_wait() -> None:
    slots = (Slot("a0", Kind.AUDIO, "both"), Slot("v0", Kind.VIDEO, "both"), Slot("a1", Kind.AUDIO, "sound"))
    done = after(person("ada"), [*person("ada"), screen("bob")], slots=slots)
    assert done.held == {"a1": "ada-mic", "v0": "bob-screen"}
    assert done.waiting == ("ada-camera",)


def test_sound_and_picture_of_one_person_share_a_stream() -> None:
    done = after(everybody(person("ada"), person("bob")))
    assert done.held == {"a0": "ada-mic", "v0": "ada-camera", "a1": "bob-mic", "v1": "bob-camera"}
    assert {change.reason for change in done.changes} == {"free_slot"}
    assert done.waiting == ()


def test_a_screen_and_its_sound_share_a_stream_apart_from_the_person() -> None:
    sound = Candidate("ada-screen-audio", "ada", Source.SCREEN_AUDIO)
    done = after([*person("ada"), screen("ada"), sound])
    assert done.held == {"a0": "ada-screen-audio", "v0": "ada-screen", "a1": "ada-mic", "v1": "ada-camera"}


def test_under_no_change_nothing_changes() -> None:
    company = everybody(person("ada"), person("bob"), person("cy"))
    assert after(company, company).changes == ()


def test_a_track_that_ends_leaves_an_empty_slot_and_nobody_moves() -> None:
    done = after(everybody(person("ada"), person("bob")), person("bob"))
    assert done.held == {"a1": "bob-mic", "v1": "bob-camera"}
    assert done.changes == (Change("a0", None, "ended"), Change("v0", None, "ended"))


def test_what_is_not_wanted_gets_no_slot() -> None:
    done = after([camera("ada")], [replace(camera("ada"), wanted=False)])
    assert done == Assignment({}, (Change("v2", None, "unwanted"),), ())


def test_silence_and_a_change_of_order_take_nobody_away() -> None:
    first = everybody(*(person(name, place=place) for place, name in enumerate("abc")))
    again = everybody(*(person(name, place=-place) for place, name in enumerate("abc")))
    assert after(first, again).changes == ()


def test_when_slots_run_out_whoever_speaks_takes_that_of_the_longest_silent() -> None:
    before = everybody(person("ada", place=0), person("bob", place=1), person("cy", place=2))
    assert after(before).waiting == ("cy-mic",)
    speaks = everybody(person("ada", place=1), person("bob", place=2), person("cy", speaking=True, place=0))
    done = after(before, speaks)
    assert done.waiting == ("bob-mic",)
    assert done.held == {
        "a0": "ada-mic",
        "v0": "ada-camera",
        "a1": "cy-mic",
        "v1": "cy-camera",
        "v2": "bob-camera",
    }
    assert done.changes == (
        Change("a1", "cy-mic", "speaking"),
        Change("v1", "cy-camera", "paired"),
        Change("v2", "bob-camera", "moved"),
    )


def test_one_who_speaks_does_not_take_the_slot_of_another_who_does() -> None:
    loud = everybody(person("ada", speaking=True, place=2), person("bob", speaking=True, place=1))
    done = after(loud, [*loud, *person("cy", speaking=True, place=0)])
    assert done.waiting == ("cy-mic",)


def test_a_screen_comes_before_those_pinned_and_those_before_whoever_speaks() -> None:
    one = laid_out([], ["v0"])
    plain, speaker = camera("ada"), replace(camera("bob"), speaking=True)
    pinned = replace(camera("cy"), pinned=True)
    steps = [[plain], [plain, speaker], [plain, speaker, pinned], [plain, speaker, pinned, screen("di")]]
    done = Assignment()
    seen = []
    for candidates in steps:
        done = assigned(one, done.held, candidates)
        seen += [(change.track, change.reason) for change in done.changes]
    assert seen == [
        ("ada-camera", "free_slot"),
        ("bob-camera", "speaking"),
        ("cy-camera", "pinned"),
        ("di-screen", "screen"),
    ]
    assert done.waiting == ("ada-camera", "bob-camera", "cy-camera")


def test_a_picture_without_sound_leaves_the_pairs_to_those_who_need_both() -> None:
    done = after([camera("ada")], [camera("ada"), *person("bob")])
    assert done.held == {"v2": "ada-camera", "a0": "bob-mic", "v0": "bob-camera"}


def test_sound_that_comes_later_joins_its_picture() -> None:
    done = after(person("ada"), [*person("ada"), camera("bob")], [*person("ada"), *person("bob")])
    assert STREAMS[slot_of(done.held, "bob-mic") or ""] == STREAMS[slot_of(done.held, "bob-camera") or ""]
    assert ("bob-camera", "paired") in [(change.track, change.reason) for change in done.changes]


def test_no_slot_is_empty_of_sound_while_somebody_waits_to_be_heard() -> None:
    pictures = [camera(name) for name in "xyz"]
    done = after(pictures, [*pictures, microphone("ada"), microphone("bob")])
    assert {slot_of(done.held, "ada-mic"), slot_of(done.held, "bob-mic")} == {"a0", "a1"}
    assert len(done.waiting) == 2


def test_more_slots_serve_those_who_waited_and_move_nobody() -> None:
    company = everybody(person("ada"), person("bob"), person("cy"))
    before = after(company)
    more = laid_out(["a0", "a1", "a2"], ["v0", "v1", "v2"])
    done = assigned(more, before.held, company)
    assert done.changes == (Change("a2", "cy-mic", "free_slot"),)


def test_fewer_may_be_shown_than_there_are_slots() -> None:
    cameras = [camera(name) for name in "abc"]
    loud = [cameras[0], cameras[1], replace(cameras[2], speaking=True)]
    shown = assigned(SLOTS, {}, cameras, most_video=2)
    assert sorted(shown.held.values()) == ["a-camera", "b-camera"]
    again = assigned(SLOTS, shown.held, loud, most_video=2)
    assert sorted(again.held.values()) == ["a-camera", "c-camera"]
    assert assigned(SLOTS, again.held, loud, most_video=0).held == {}


@st.composite
def company(draw: st.DrawFn) -> list[Candidate]:
    found = []
    for index, source in draw(st.sets(st.tuples(st.integers(0, 5), st.sampled_from(Source)))):
        pinned, speaking = draw(st.booleans()), draw(st.booleans())
        place, wanted = draw(st.integers(0, 5)), draw(st.integers(0, 5)) > 0
        track = f"{index}-{source.value}"
        found.append(Candidate(track, str(index), source, pinned, speaking, place, wanted))
    return sorted(found, key=lambda one: one.track)


LAYOUTS = st.builds(
    lambda audio, video: laid_out([f"a{n}" for n in range(audio)], [f"v{n}" for n in range(video)]),
    st.integers(0, 4),
    st.integers(0, 6),
)


@given(LAYOUTS, st.lists(company(), max_size=6))
def test_whatever_comes_every_rule_holds(slots: tuple[Slot, ...], companies: list[list[Candidate]]) -> None:
    held: Mapping[str, str] = {}
    for candidates in companies:
        known = {one.track: one for one in candidates}
        done = assigned(slots, held, candidates)
        by_mid = {slot.mid: slot for slot in slots}
        assert len(set(done.held.values())) == len(done.held)
        owners: dict[str, set[tuple[str, bool]]] = {}
        for mid, track in done.held.items():
            assert known[track].wanted
            assert known[track].source.kind is by_mid[mid].kind
            owners.setdefault(by_mid[mid].stream, set()).add(known[track].group)
        assert all(len(groups) == 1 for groups in owners.values())

        placed = set(done.held.values())
        assert set(done.waiting) == {one.track for one in candidates if one.wanted} - placed
        sounds = [one for one in candidates if one.wanted and one.source.kind is Kind.AUDIO]
        heard = [one for one in sounds if one.track in placed]
        assert len(heard) == min(len(sounds), sum(slot.kind is Kind.AUDIO for slot in slots))
        assert all(one.track in placed or one.tier >= max(other.tier for other in heard) for one in sounds if heard)
        with_sound = {by_mid[mid].stream for mid in done.held if by_mid[mid].kind is Kind.AUDIO}
        for mid, track in done.held.items():
            if by_mid[mid].kind is Kind.VIDEO and by_mid[mid].stream not in with_sound:
                tiers = {known[other].tier for other in done.waiting if known[other].source.kind is Kind.VIDEO}
                assert known[track].tier <= min(tiers, default=9)

        changed = {change.mid: change.track for change in done.changes}
        expected = {mid: done.held.get(mid) for mid in by_mid if done.held.get(mid) != held.get(mid)}
        assert changed == expected
        assert assigned(slots, done.held, candidates).changes == ()
        held = done.held


@given(st.lists(st.permutations(range(5)), max_size=6), company())
def test_an_order_that_flutters_moves_nobody(orders: list[list[int]], candidates: list[Candidate]) -> None:
    held = assigned(SLOTS, {}, candidates).held
    for order in orders:
        places = dict(enumerate(order))
        done = assigned(SLOTS, held, [replace(one, place=places.get(int(one.participant), 9)) for one in candidates])
        assert done.changes == ()

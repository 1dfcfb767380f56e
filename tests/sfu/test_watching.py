"""The look ten times a second: speakers, slots, layers, what publishers are asked for, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator

from media.engine import AudioLevel, Layer, SinkId, SourceId, Switched
from sfu import watching
from sfu.choices import choices
from sfu.notices import ConnectionState, Layers, MoreSlots, Quality, Slots, Speakers
from sfu.requests import Receive
from sfu.rooms import Room
from tests.sfu.engines import Sink
from tests.sfu.stage import CAMERA, MICROPHONE, SCREEN, Person, Stage, browser_offer, flowing

LOUD, SILENT = AudioLevel(30, voice=True), AudioLevel(127, voice=False)
THREE_LAYERS = ((0, 150_000, 320, 180, 30.0), (1, 500_000, 640, 360, 30.0), (2, 1_800_000, 1280, 720, 30.0))


def speak(stage: Stage, who: Person, seconds: float, level: AudioLevel = LOUD) -> None:
    for _ in range(round(seconds * 10)):
        stage.engine.levels[who.track(MICROPHONE).source] = level
        stage.pass_time(0.1)


def sinks(person: Person) -> dict[str, Sink]:
    engine = person.stage.engine
    return {one.format.mid: one for one in engine.sinks.values() if one.transport == person.transport}


def flows(person: Person) -> dict[str, SourceId]:
    return {mid: sink.source for mid, sink in sinks(person).items() if sink.source is not None}


def allowed(person: Person) -> dict[str, list[Layer]]:
    engine = person.stage.engine
    ladder = engine.transports[person.transport].ladder
    assert ladder is not None
    return {engine.sinks[sink].format.mid: list(layers) for sink, layers in ladder.allowed.items()}


async def people(stage: Stage, room: Room, names: str, *, slots: tuple[int, int] = (0, 0)) -> Iterator[Person]:
    """With microphone and camera, connected."""
    found = [stage.join(room, name) for name in names.split()]
    for one in found:
        await one.publish(MICROPHONE, CAMERA, slots=slots, simulcast=True)
        one.connect()
    return iter(found)


async def test_a_track_flows_into_a_slot_within_a_tenth_of_a_second_and_is_told(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(2, 2))
    stage.pass_time(0.1)
    assert ada.slots == {"ra0": bob.track(MICROPHONE).id, "rv0": bob.track(CAMERA).id}
    assert flows(ada) == {"ra0": bob.track(MICROPHONE).source, "rv0": bob.track(CAMERA).source}
    (told,) = ada.all(Slots)
    assert {change.reason for change in told.slots} == {"free_slot"}
    stage.pass_time(5)
    assert len(ada.all(Slots)) == 1


async def test_who_leaves_empties_the_slots_of_all(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(2, 2))
    stage.pass_time(0.1)
    bob.here.leave()
    assert flows(ada) == {}
    stage.pass_time(0.1)
    assert ada.slots == {}
    assert {change.reason for change in ada.all(Slots)[-1].slots} == {"ended"}


async def test_unwanted_tracks_free_their_slots_and_pinned_ones_take_them(stage: Stage) -> None:
    room = stage.room()
    ada, bob, eve, dan = await people(stage, room, "ada bob eve dan", slots=(1, 2))
    stage.pass_time(0.1)
    cameras = {name: one.track(CAMERA).id for name, one in zip(["bob", "eve", "dan"], (bob, eve, dan), strict=True)}
    assert {ada.slots[mid] for mid in ("rv0", "rv1")} == {cameras["bob"], cameras["eve"]}
    ada.here.pin(cameras["dan"], pinned=True)
    stage.pass_time(0.1)
    assert cameras["dan"] in ada.slots.values()
    ada.here.unwant(cameras["dan"])
    stage.pass_time(0.1)
    assert cameras["dan"] not in ada.slots.values()
    ada.here.pin(cameras["dan"], pinned=False)
    ada.here.want(cameras["dan"], 320, 180)
    stage.pass_time(0.1)
    assert {ada.slots[mid] for mid in ("rv0", "rv1")} == {cameras["bob"], cameras["eve"]}


async def test_more_slots_are_asked_for_as_long_as_something_wanted_has_none(stage: Stage) -> None:
    room = stage.room()
    ada, *others = await people(stage, room, "ada bob eve dan", slots=(0, 2))
    stage.pass_time(1)
    assert ada.all(MoreSlots) == [MoreSlots(audio=3, video=1)]
    ada.here.unwant(others[0].track(CAMERA).id)
    stage.pass_time(0.1)
    assert ada.all(MoreSlots)[-1] == MoreSlots(audio=3, video=0)
    others[1].here.leave()
    others[2].here.leave()
    stage.pass_time(0.1)
    assert ada.all(MoreSlots)[-1] == MoreSlots(audio=1, video=0)


async def test_speakers_are_told_when_they_change_and_at_most_five_times_a_second(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    stage.pass_time(2)
    assert bob.all(Speakers) == []
    speak(stage, ada, 3)
    told = bob.all(Speakers)
    assert 1 <= len(told) <= 4
    assert [one.participant for one in told[-1].speakers] == [ada.id]
    assert 0.3 < told[-1].speakers[0].level <= 1.0
    assert ada.all(Speakers) == told
    speak(stage, ada, 5)
    assert len(bob.all(Speakers)) == len(told)
    for number in range(50):
        stage.engine.levels[ada.track(MICROPHONE).source] = LOUD if number % 2 else AudioLevel(60, voice=True)
        stage.pass_time(0.1)
    assert len(bob.all(Speakers)) - len(told) <= 25
    stage.pass_time(3)
    assert bob.all(Speakers)[-1] == Speakers(())
    late = stage.join(room, "late")
    assert late.here.joined is not None
    assert late.here.joined.speakers == ()


async def test_a_muted_microphone_is_nobody_speaking(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob")
    ada.here.mute(ada.track(MICROPHONE).id, muted=True)
    speak(stage, ada, 2)
    assert bob.all(Speakers) == []


async def test_whoever_speaks_is_heard_and_seen_where_slots_are_few(stage: Stage) -> None:
    room = stage.room()
    ada, *others = await people(stage, room, "ada bob eve dan kim", slots=(1, 1))
    stage.pass_time(0.2)
    for speaker in (others[2], others[3], others[0]):
        speak(stage, speaker, 3)
        assert ada.slots["ra0"] == speaker.track(MICROPHONE).id
        assert ada.slots["rv0"] == speaker.track(CAMERA).id
        assert flows(ada)["rv0"] == speaker.track(CAMERA).source


async def test_layers_follow_the_tile_and_the_bitrate_and_their_reasons_are_told(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    camera = bob.track(CAMERA)
    stage.engine.stats[camera.source] = flowing(THREE_LAYERS)
    stage.engine.fits(ada.transport, 4_000_000)
    stage.pass_time(5)
    assert allowed(ada) == {"rv0": [Layer(0), Layer(1)]}
    (shown,) = ada.all(Quality)[-1].tracks
    assert (shown.track, shown.layer, shown.width, shown.why) == (camera.id, 1, 640, "fills_tile")
    ada.here.want(camera.id, 1280, 720)
    stage.pass_time(3)
    assert allowed(ada) == {"rv0": [Layer(0), Layer(1), Layer(2)]}
    stage.engine.fits(ada.transport, 600_000)
    stage.pass_time(3)
    assert allowed(ada) == {"rv0": [Layer(0), Layer(1)]}
    last = ada.all(Quality)[-1]
    assert (last.connection, last.why) == (ConnectionState.POOR, "bitrate")
    assert last.tracks[0].why == "bitrate"
    assert "kbit/s are missing" in last.tracks[0].detail


async def test_nothing_is_told_and_the_engine_hears_nothing_while_nothing_changes(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    stage.engine.stats[bob.track(CAMERA).source] = flowing(THREE_LAYERS)
    stage.engine.stats[ada.track(CAMERA).source] = flowing(THREE_LAYERS)
    stage.pass_time(20)
    before = (len(ada.told), len(bob.told), stage.engine.calls)
    stage.pass_time(60)
    assert (len(ada.told), len(bob.told), stage.engine.calls) == before


async def test_a_picture_that_is_not_seen_is_paused_and_keeps_its_slot(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    stage.pass_time(0.2)
    ada.here.want(bob.track(CAMERA).id, 0, 0)
    stage.pass_time(0.2)
    assert sinks(ada)["rv0"].is_paused
    assert flows(ada)["rv0"] == bob.track(CAMERA).source
    ada.here.want(bob.track(CAMERA).id, 640, 360)
    stage.pass_time(0.2)
    assert not sinks(ada)["rv0"].is_paused


async def test_a_slot_that_was_paused_is_not_for_whoever_comes_into_it_next(stage: Stage) -> None:
    room = stage.room()
    ada, bob, eve = await people(stage, room, "ada bob eve", slots=(0, 1))
    stage.pass_time(0.2)
    ada.here.want(bob.track(CAMERA).id, 0, 0)
    stage.pass_time(0.2)
    ada.here.unwant(bob.track(CAMERA).id)
    stage.pass_time(0.2)
    assert flows(ada)["rv0"] == eve.track(CAMERA).source
    assert not sinks(ada)["rv0"].is_paused


async def test_publishers_are_asked_for_what_somebody_sees_and_stop_what_nobody_does(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    camera = bob.track(CAMERA)
    stage.engine.stats[camera.source] = flowing(THREE_LAYERS)
    stage.pass_time(8)
    assert bob.all(Layers) == [Layers(camera.id, 1)]
    stage.engine.stats[camera.source] = flowing(THREE_LAYERS[:2])
    ada.here.want(camera.id, 1920, 1080)
    stage.pass_time(0.2)
    assert bob.all(Layers)[-1] == Layers(camera.id, 2)
    # It takes its publisher a while, and nobody gives it up meanwhile.
    stage.pass_time(3)
    assert allowed(ada)["rv0"][-1] == Layer(2, 0)
    stage.engine.stats[camera.source] = flowing(THREE_LAYERS)
    ada.here.unwant(camera.id)
    stage.pass_time(15)
    assert bob.all(Layers)[-1] == Layers(camera.id, None)
    ada.here.want(camera.id, 320, 180)
    stage.pass_time(0.2)
    assert bob.all(Layers)[-1] == Layers(camera.id, 0)


async def test_what_was_asked_of_a_publisher_is_remembered_while_it_is_muted(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    camera = bob.track(CAMERA)
    stage.engine.stats[camera.source] = flowing(THREE_LAYERS)
    stage.pass_time(8)
    assert bob.all(Layers) == [Layers(camera.id, 1)]
    bob.here.mute(camera.id, muted=True)
    del stage.engine.stats[camera.source]
    stage.pass_time(3)
    bob.here.mute(camera.id, muted=False)
    ada.here.want(camera.id, 1280, 720)
    stage.pass_time(0.2)
    assert bob.all(Layers)[-1] == Layers(camera.id, 2)


async def test_a_picture_that_stood_still_comes_back_small_and_not_at_its_largest(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    camera = bob.track(CAMERA)
    stage.engine.stats[camera.source] = flowing(THREE_LAYERS)
    stage.engine.fits(ada.transport, 300_000)
    stage.pass_time(3)
    assert allowed(ada) == {"rv0": [Layer(0)]}
    del stage.engine.stats[camera.source]
    stage.pass_time(10)
    assert ada.all(Quality)[-1].tracks[0].why == "no_layers"
    assert [layer.spatial for layer in allowed(ada)["rv0"]] == [0]
    bob.here.mute(camera.id, muted=True)
    bob.here.mute(camera.id, muted=False)
    stage.pass_time(0.1)
    assert ada.all(Quality)[-1].tracks[0].why != "no_layers"


async def test_a_layer_that_its_publisher_cannot_send_is_not_promised_for_long(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    camera = bob.track(CAMERA)
    stage.engine.stats[camera.source] = flowing(THREE_LAYERS[:1])
    stage.engine.fits(ada.transport, 10_000_000)
    ada.here.want(camera.id, 1280, 720)
    stage.pass_time(10)
    (shown,) = ada.all(Quality)[-1].tracks
    assert (shown.layer, shown.width, shown.why) == (0, 320, "highest")


async def test_a_picture_of_which_nothing_comes_is_asked_for_all_the_same(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    stage.pass_time(30)
    assert bob.all(Layers) == []
    assert ada.all(Quality)[-1].tracks[0].why == "no_layers"


async def test_lost_consent_is_told_and_so_is_its_return(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    stage.engine.stats[bob.track(CAMERA).source] = flowing(THREE_LAYERS)
    stage.pass_time(3)
    ada.lose_consent()
    stage.pass_time(2)
    assert (ada.all(Quality)[-1].connection, ada.all(Quality)[-1].why) == (ConnectionState.LOST, "no_consent")
    ada.connect()
    stage.pass_time(2)
    assert (ada.all(Quality)[-1].connection, ada.all(Quality)[-1].why) == (ConnectionState.GOOD, "fits")


async def test_a_shared_screen_comes_before_all_cameras(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(0, 1))
    stage.pass_time(0.2)
    presenter = stage.join(room, "presenter")
    await presenter.publish(SCREEN)
    stage.pass_time(0.1)
    assert ada.slots["rv0"] == presenter.track(SCREEN).id
    assert ada.all(Slots)[-1].slots[0].reason == "screen"
    assert bob.slots["rv0"] == presenter.track(SCREEN).id


async def test_the_reasons_of_all_choices_can_be_read(stage: Stage) -> None:
    room = stage.room()
    ada, bob = await people(stage, room, "ada bob", slots=(1, 1))
    stage.engine.stats[bob.track(CAMERA).source] = flowing(THREE_LAYERS)
    stage.pass_time(1)
    sink = next(SinkId(one) for one, held in stage.engine.sinks.items() if held is sinks(ada)["rv0"])
    stage.engine.waiting.append(Switched(sink, bob.track(CAMERA).source, Layer(1)))
    stage.rooms.drain()
    found = {one.participant: one for one in choices(stage.meeting(room))}[ada.id]
    assert found.slots["rv0"].reason == "free_slot"
    assert found.layers[bob.track(CAMERA).id].why.reason.value == "fills_tile"
    assert found.flowing == {"ra0": None, "rv0": Layer(1)}
    assert 0 < found.used <= found.budget


async def test_a_look_sees_so_many_at_most_and_everybody_in_turn(stage: Stage) -> None:
    room = stage.room()
    many = [stage.join(room, f"guest {number}") for number in range(watching.MOST_SUBSCRIBERS + 20)]
    for one in many:
        await one.here.negotiate(browser_offer(slots=(0, 1)), [], Receive(0, 1))
    presenter = stage.join(room, "presenter")
    await presenter.publish(SCREEN)
    stage.pass_time(0.1)
    assert sum(bool(one.slots) for one in many) == watching.MOST_SUBSCRIBERS
    stage.meeting(room).version += 1
    stage.pass_time(0.1)
    assert all(one.slots == {"rv0": presenter.track(SCREEN).id} for one in many)


async def test_a_fault_of_ours_costs_one_subscriber_and_not_the_room(stage: Stage) -> None:
    room = stage.room()
    ada, bob, eve = await people(stage, room, "ada bob eve", slots=(1, 1))
    broken = next(one for one, held in stage.engine.sinks.items() if held.transport == ada.transport)
    del stage.engine.sinks[broken]
    stage.pass_time(0.2)
    assert stage.metric("rooms_faults_total", where="subscriber") > 0
    assert set(flows(bob)) == set(flows(eve)) == {"ra0", "rv0"}


async def test_the_engines_drops_are_counted_once(stage: Stage) -> None:
    stage.engine.counted = {"replayed": 3}
    stage.pass_time(5)
    stage.engine.counted = {"replayed": 5}
    stage.pass_time(5)
    assert stage.metric("media_drops_total", name="replayed") == 5


async def test_who_comes_and_goes_while_a_look_pauses_disturbs_nobody(stage: Stage) -> None:
    room = stage.room()
    everybody = list(await people(stage, room, " ".join(f"p{n}" for n in range(20)), slots=(2, 3)))
    watch = watching.Watch(stage.node)
    look = watch.look([stage.meeting(room)], stage.clock.monotonic())
    for leaving in (0, 12):
        next(look)
        everybody[leaving].here.leave()
    assert list(look) == []
    assert stage.metric("rooms_faults_total", where="subscriber") == 0
    stage.pass_time(0.3)
    left = {everybody[index].id for index in (0, 12)}
    for one in everybody:
        if one.id not in left:
            assert len(one.slots) == 5
            tracks = stage.meeting(room).tracks
            assert not left & {tracks[track].publisher.id for track in one.slots.values()}

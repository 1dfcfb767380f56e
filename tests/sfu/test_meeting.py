"""Who is in a room, and what they are told of each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kernel.errors import SecureConnectError
from sfu.admission import Bounds, Grants
from sfu.notices import (
    Admitted,
    Departure,
    Ended,
    Ending,
    MutedBy,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    Reaction,
    TrackMuted,
    TrackPublished,
    TrackUnpublished,
)
from sfu.rooms import Mode
from tests.sfu.stage import CAMERA, EVERYTHING, MICROPHONE, SCREEN, Person, Stage

HIDDEN = Grants(subscribe=True, hidden=True)


def gone(person: Person) -> list[Ending]:
    return [one.reason for one in person.all(Ended)]


def left(person: Person) -> list[tuple[str, Departure]]:
    return [(one.participant, one.reason) for one in person.all(ParticipantLeft)]


async def test_whoever_comes_sees_the_room_as_it_is_and_is_seen(stage: Stage) -> None:
    room = stage.room()
    ada = stage.join(room, "ada")
    await ada.publish(MICROPHONE, CAMERA)
    bob = stage.join(room, "bob")
    welcome = bob.here.joined
    assert welcome is not None
    assert [one.identity for one in welcome.participants] == ["ada"]
    assert [(one.participant, one.source) for one in welcome.tracks] == [(ada.id, MICROPHONE), (ada.id, CAMERA)]
    assert welcome.participant.id == bob.id
    assert bob.told == []
    assert [one.participant.identity for one in ada.all(ParticipantJoined)] == ["bob"]


async def test_tracks_are_told_to_the_others_and_never_to_who_publishes_them(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE, CAMERA)
    camera = ada.track(CAMERA).id
    assert [one.track.source for one in bob.all(TrackPublished)] == [MICROPHONE, CAMERA]
    ada.here.mute(camera, muted=True)
    ada.here.mute(camera, muted=True)
    ada.here.unpublish(camera)
    assert bob.all(TrackMuted) == [TrackMuted(camera, True, MutedBy.PUBLISHER)]
    assert bob.all(TrackUnpublished) == [TrackUnpublished(camera)]
    assert [type(one) for one in ada.told] == [ParticipantJoined]


async def test_muting_stops_a_track_in_the_engine_too(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    await ada.publish(MICROPHONE)
    track = ada.track(MICROPHONE)
    ada.here.mute(track.id, muted=True)
    assert stage.engine.sources[track.source].is_muted
    ada.here.mute(track.id, muted=False)
    assert not stage.engine.sources[track.source].is_muted


async def test_who_leaves_takes_everything_along(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE, CAMERA, slots=(2, 2))
    tracks = [one.id for one in ada.me.tracks.values()]
    ada.here.leave()
    assert not stage.engine.sources
    await stage.settle()
    stage.require_empty()
    assert [one.track for one in bob.all(TrackUnpublished)] == tracks
    assert left(bob) == [(ada.id, Departure.LEFT)]
    assert gone(ada) == []
    assert (stage.node.load.participants, stage.node.load.transports, stage.node.load.slots) == (1, 0, 0)
    with pytest.raises(SecureConnectError, match="not in this room"):
        ada.here.react("👋")
    ada.here.leave()
    assert stage.node.load.participants == 1


async def test_an_identity_that_joins_again_replaces_itself(stage: Stage) -> None:
    room = stage.room(max_participants=2)
    old, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await old.publish(MICROPHONE)
    new = stage.join(room, "ada")
    assert gone(old) == [Ending.REPLACED]
    assert left(bob) == [(old.id, Departure.REPLACED)]
    assert new.here.joined is not None
    assert [one.identity for one in new.here.joined.participants] == ["bob"]
    assert new.here.joined.tracks == ()
    old.here.leave()
    assert new.id in stage.meeting(room).participants


async def test_nobody_is_ever_told_of_the_hidden_and_they_send_nothing(stage: Stage) -> None:
    room = stage.room(max_participants=2)
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    eve = stage.join(room, "eve", HIDDEN)
    await ada.publish(MICROPHONE)
    assert [one.track.source for one in eve.all(TrackPublished)] == [MICROPHONE]
    attempts: list[Callable[[], None]] = [
        lambda: eve.here.react("👋"),
        lambda: eve.here.raise_hand(raised=True),
        lambda: eve.here.set_metadata("x"),
        lambda: eve.here.send_data(b"x"),
    ]
    for attempt in attempts:
        with pytest.raises(SecureConnectError) as refusal:
            attempt()
        assert refusal.value.code == "not_granted"
    with pytest.raises(SecureConnectError) as unknown:
        ada.here.send_data(b"x", [eve.id])
    assert unknown.value.code == "unknown_participant"
    dan = stage.join(room, "bob")
    assert dan.here.joined is not None
    assert [one.identity for one in dan.here.joined.participants] == ["ada"]
    eve.here.leave()
    assert eve.id not in str(ada.told) + str(bob.told) + str(dan.told)


async def test_hands_reactions_names_and_metadata_reach_the_others(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    ada.here.raise_hand(raised=True)
    ada.here.raise_hand(raised=True)
    ada.here.set_metadata("{}", "Countess")
    ada.here.react("🎉")
    told = bob.all(ParticipantUpdated)
    assert [(one.participant.hand_raised, one.participant.name, one.participant.metadata) for one in told] == [
        (True, "Ada", None),
        (True, "Countess", "{}"),
    ]
    assert bob.all(Reaction) == [Reaction(ada.id, "🎉")]
    assert ada.all(Reaction) == []
    with pytest.raises(SecureConnectError) as refusal:
        ada.here.set_metadata("€" * 1366)
    assert refusal.value.code == "metadata_too_long"
    for name in ("", " ", "x" * 101, "a\u202eb", "a\nb"):
        with pytest.raises(SecureConnectError) as invalid:
            ada.here.set_metadata(None, name)
        assert invalid.value.code == "invalid_name"
    assert len(bob.all(ParticipantUpdated)) == 2


async def test_in_a_waiting_room_people_know_nothing_until_they_are_let_in(stage: Stage) -> None:
    room = stage.room(waiting_room=True)
    host = stage.join(room, "host", Grants(subscribe=True, moderate=True))
    guest = stage.join(room, "guest")
    assert host.here.joined is not None
    assert guest.here.joined is None
    assert host.told == guest.told == []
    with pytest.raises(SecureConnectError) as refusal:
        guest.here.react("👋")
    assert refusal.value.code == "not_joined"
    stage.meeting(room).admit(guest.id)
    (admitted,) = guest.all(Admitted)
    assert [one.identity for one in admitted.joined.participants] == ["host"]
    assert [one.participant.identity for one in host.all(ParticipantJoined)] == ["guest"]
    with pytest.raises(SecureConnectError):
        stage.meeting(room).admit(guest.id)


async def test_one_who_waits_can_be_sent_away_and_can_leave_unseen(stage: Stage) -> None:
    room = stage.room(waiting_room=True)
    host = stage.join(room, "host", Grants(moderate=True))
    first, second = stage.join(room, "first"), stage.join(room, "second")
    stage.meeting(room).remove(first.id)
    second.here.leave()
    assert gone(first) == [Ending.KICKED]
    assert host.told == []
    assert stage.node.load.participants == 1


async def test_who_is_removed_is_told_and_the_others_are(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    stage.meeting(room).remove(ada.id)
    assert gone(ada) == [Ending.KICKED]
    assert left(bob) == [(ada.id, Departure.KICKED)]


async def test_a_track_muted_by_whoever_moderates_is_not_for_its_publisher_to_unmute(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE)
    track = ada.track(MICROPHONE)
    stage.meeting(room).set_muted(track, MutedBy.MODERATOR)
    assert ada.all(TrackMuted) == bob.all(TrackMuted) == [TrackMuted(track.id, True, MutedBy.MODERATOR)]
    with pytest.raises(SecureConnectError) as refusal:
        ada.here.mute(track.id, muted=False)
    assert refusal.value.code == "not_granted"
    assert stage.engine.sources[track.source].is_muted


async def test_a_room_takes_as_many_as_its_plan_says_and_a_node_as_its_bounds(stage: Stage) -> None:
    stage.node.bounds = Bounds(participants=3)
    small = stage.room(max_participants=2)
    stage.join(small, "ada"), stage.join(small, "bob")
    with pytest.raises(SecureConnectError) as full:
        stage.join(small, "eve")
    assert full.value.code == "room_full"
    other = stage.room()
    stage.join(other, "eve")
    with pytest.raises(SecureConnectError) as overloaded:
        stage.join(other, "dan")
    assert overloaded.value.code == "node_overloaded"
    stage.join(other, "eve")
    assert stage.rooms.find(stage.room().id) is None


async def test_the_end_of_a_room_is_told_to_everybody_once_and_leaves_nothing(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE, CAMERA, SCREEN, slots=(2, 2))
    before = len(bob.told)
    stage.rooms.end(room.id)
    stage.rooms.end(room.id)
    assert gone(ada) == gone(bob) == [Ending.ROOM_ENDED]
    assert len(bob.told) == before + 1
    await stage.settle()
    stage.require_empty()
    assert stage.metric("participants") == stage.metric("rooms_live") == stage.metric("media_transports") == 0
    assert stage.metric("tracks", source="camera") == 0


async def test_an_empty_room_is_kept_for_as_long_as_its_plan_says(stage: Stage) -> None:
    room = stage.room(empty_timeout=30)
    stage.join(room, "ada").here.leave()
    stage.pass_time(29, step=1)
    again = stage.join(room, "ada")
    stage.pass_time(60, step=1)
    again.here.leave()
    stage.pass_time(29, step=1)
    assert stage.rooms.find(room.id) is not None
    stage.pass_time(1, step=1)
    assert stage.rooms.find(room.id) is None
    assert stage.metric("rooms_live") == 0


async def test_a_server_that_stops_says_so_and_lets_nobody_in(stage: Stage) -> None:
    room = stage.room()
    ada = stage.join(room, "ada")
    await ada.publish(MICROPHONE)
    await stage.rooms.close()
    assert gone(ada) == [Ending.SERVER_STOPPING]
    assert not stage.engine.transports
    with pytest.raises(SecureConnectError) as refusal:
        stage.join(room, "bob")
    assert refusal.value.code == "room_ended"


@pytest.mark.parametrize(
    ("has_media", "consent_ends_at", "gone_at"),
    [(False, None, 15), (True, None, 60), (True, 0, 15), (True, 10, 25), (True, 50, 60)],
)
async def test_a_lost_socket_keeps_its_participant_while_media_shows_that_somebody_is_there(
    stage: Stage, has_media: bool, consent_ends_at: int | None, gone_at: int
) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    if has_media:
        await ada.publish(MICROPHONE)
        ada.connect()
    ada.here.socket_lost()
    for second in range(gone_at):
        if second == consent_ends_at:
            ada.lose_consent()
        assert left(bob) == [], second
        stage.pass_time(1, step=1)
    assert left(bob) == [(ada.id, Departure.CONNECTION_LOST)]
    assert gone(ada) == [Ending.EXPIRED]
    assert not stage.engine.sources


async def test_a_socket_that_comes_back_in_time_and_one_without_consent_lose_nothing(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE)
    ada.connect()
    ada.here.socket_lost()
    stage.pass_time(14, step=1)
    ada.here.socket_back()
    ada.lose_consent()
    stage.pass_time(300, step=1)
    assert left(bob) == []
    ada.here.socket_lost()
    stage.pass_time(14, step=1)
    ada.connect()
    stage.pass_time(45, step=1)
    assert left(bob) == []


async def test_one_without_the_right_to_hear_is_told_of_people_and_not_of_tracks(stage: Stage) -> None:
    room = stage.room()
    ada = stage.join(room, "ada")
    await ada.publish(MICROPHONE)
    speaker = stage.join(room, "bob", Grants(publish=EVERYTHING.publish, data=True))
    assert speaker.here.joined is not None
    assert [one.identity for one in speaker.here.joined.participants] == ["ada"]
    assert speaker.here.joined.tracks == ()
    await ada.publish(MICROPHONE, CAMERA)
    ada.here.mute(ada.track(CAMERA).id, muted=True)
    assert not speaker.all(TrackPublished)
    assert not speaker.all(TrackMuted)
    with pytest.raises(SecureConnectError) as refusal:
        speaker.here.want(ada.track(CAMERA).id, 640, 360)
    assert refusal.value.code == "unknown_track"


async def test_a_secure_room_is_told_as_one_with_the_encryption_of_everybody(stage: Stage) -> None:
    room = stage.room(Mode.SECURE)
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob", e2ee=False)
    assert bob.here.joined is not None
    assert bob.here.joined.room.mode is Mode.SECURE
    (other,) = bob.here.joined.participants
    assert other.e2ee is not None
    assert other.e2ee.sender == "sender-of-ada"
    (newcomer,) = ada.all(ParticipantJoined)
    assert newcomer.participant.e2ee is None

"""Nothing clear comes through a Secure room: media is gated by the engine, messages here."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Sequence

import msgspec
import pytest

from kernel.errors import SecureConnectError
from media.engine import Gated
from media.framecrypto import FrameEncryptor
from media.framekeys import data_key, key_id_prefix
from media.gate import Reason
from sfu.admission import MESSAGE_BYTES, Grants
from sfu.notices import Data, Encryption, Gate, MutedBy, TrackMuted
from sfu.requests import Receive
from sfu.rooms import Mode, Room
from tests.sfu.stage import CAMERA, EVERYTHING, MICROPHONE, Person, Stage, browser_offer, publications


class Sealed:
    """A participant with real keys."""

    def __init__(self, stage: Stage, room: Room, identity: str) -> None:
        secret, sender = os.urandom(32), f"sender-of-{identity}"
        self.person = stage.join(room, identity, e2ee=Encryption(key_id_prefix(secret, sender), sender))
        self.keys = [FrameEncryptor(data_key(secret, sender, epoch)) for epoch in range(3)]

    def message(self, text: bytes = b"hello", epoch: int = 0) -> bytes:
        return self.keys[epoch].seal_message(text)


def code(person: Person, payload: bytes, to: Sequence[str] | None = None) -> str:
    with pytest.raises(SecureConnectError) as refused:
        person.here.send_data(payload, to)
    return refused.value.code


async def test_sealed_messages_come_through_and_clear_ones_do_not(stage: Stage) -> None:
    room = stage.room(Mode.SECURE)
    ada, bob = Sealed(stage, room, "ada"), Sealed(stage, room, "bob")
    sealed = ada.message()
    ada.person.here.send_data(sealed)
    assert bob.person.all(Data) == [Data(ada.person.id, sealed, True)]
    assert ada.person.all(Data) == []
    assert code(ada.person, b"in the clear") == "mode_forbids_clear_media"
    assert code(ada.person, sealed) == "mode_forbids_clear_media"
    ada.person.here.send_data(ada.message(epoch=1))
    assert len(bob.person.all(Data)) == 2
    assert stage.audit.entries == []


async def test_three_failures_mute_whoever_sends_and_are_on_record(stage: Stage) -> None:
    room = stage.room(Mode.SECURE)
    ada, bob = Sealed(stage, room, "ada"), Sealed(stage, room, "bob")
    for payload in (b"clear", bob.message(), ada.message(epoch=2)):
        assert code(ada.person, payload) == "mode_forbids_clear_media"
    assert code(ada.person, ada.message()) == "mode_forbids_clear_media"
    assert bob.person.all(Data) == []
    ((whose, identity, track, _),) = stage.audit.entries
    assert (whose, identity, track) == (room.id, "ada", None)
    assert stage.metric("gate_muted_total", what="message") == 1


async def test_who_announced_no_encryption_neither_sends_nor_receives_nor_publishes(stage: Stage) -> None:
    room = stage.room(Mode.SECURE)
    ada, eve = Sealed(stage, room, "ada"), stage.join(room, "eve", e2ee=False)
    ada.person.here.send_data(ada.message())
    assert eve.all(Data) == []
    assert code(eve, ada.message()) == "encryption_required"
    for offer, announced, receive in (
        (browser_offer(audio=1), publications("eve", [MICROPHONE], encrypted=True), Receive()),
        (browser_offer(slots=(1, 0)), [], Receive(1, 0)),
    ):
        with pytest.raises(SecureConnectError) as refused:
            await eve.here.negotiate(offer, announced, receive)
        assert refused.value.code == "encryption_required"
    assert not stage.engine.transports


async def test_a_track_that_does_not_say_that_it_is_encrypted_is_not_taken(stage: Stage) -> None:
    ada = stage.join(stage.room(Mode.SECURE), "ada")
    with pytest.raises(SecureConnectError) as refused:
        await ada.publish(MICROPHONE, encrypted=False)
    assert refused.value.code == "mode_forbids_clear_media"
    assert not stage.engine.transports


async def test_what_the_gate_refuses_is_told_and_what_it_mutes_is_muted_for_all_and_on_record(stage: Stage) -> None:
    room = stage.room(Mode.SECURE)
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE, CAMERA)
    camera = ada.track(CAMERA)
    for number in range(3):
        assert not bob.all(TrackMuted)
        stage.engine.waiting.append(Gated(camera.source, Reason.CLEAR_FRAME, muted=number == 2))
        stage.rooms.drain()
    assert ada.all(Gate) == [Gate(camera.id, "clear_frame", muted) for muted in (False, False, True)]
    assert ada.all(TrackMuted) == bob.all(TrackMuted) == [TrackMuted(camera.id, True, MutedBy.GATE)]
    assert bob.all(Gate) == []
    assert stage.audit.entries == [(room.id, "ada", camera.id, "clear_frame")]
    assert stage.metric("gated_total", what="track", reason="clear_frame") == 3
    ada.here.mute(camera.id, muted=False)
    source = stage.engine.sources[camera.source]
    assert [gate and gate.key_ids for gate in source.gates] == [(0x812300, 0x812301)] * 2
    assert bob.all(TrackMuted)[-1] == TrackMuted(camera.id, False, MutedBy.PUBLISHER)


async def test_a_gate_that_closes_on_a_track_that_has_just_ended_is_nobodys(stage: Stage) -> None:
    ada = stage.join(stage.room(Mode.SECURE), "ada")
    await ada.publish(CAMERA)
    camera = ada.track(CAMERA)
    ada.here.unpublish(camera.id)
    stage.engine.waiting.append(Gated(camera.source, Reason.CLEAR_FRAME, muted=True))
    stage.rooms.drain()
    assert ada.told == []
    assert stage.audit.entries == []


async def test_messages_go_to_those_named_or_to_all_and_never_back(stage: Stage) -> None:
    room = stage.room()
    ada, bob, eve = (stage.join(room, name) for name in ("ada", "bob", "eve"))
    deaf = stage.join(room, "deaf", Grants(publish=EVERYTHING.publish))
    ada.here.send_data(b"for all", reliable=False)
    ada.here.send_data(b"for eve", [eve.id, eve.id, ada.id])
    assert bob.all(Data) == [Data(ada.id, b"for all", False)]
    assert eve.all(Data) == [Data(ada.id, b"for all", False), Data(ada.id, b"for eve", True)]
    assert ada.all(Data) == deaf.all(Data) == []
    assert code(ada, b"x", [bob.id, "nobody"]) == "unknown_participant"
    assert len(bob.all(Data)) == 1
    assert code(deaf, b"x") == "not_granted"


async def test_who_sends_too_much_is_refused_until_a_moment_later(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    with pytest.raises(ValueError, match="at most"):
        ada.here.send_data(bytes(MESSAGE_BYTES + 1))
    for _ in range(100):
        ada.here.send_data(bytes(10))
    assert code(ada, bytes(10)) == "rate_limited"
    assert len(bob.all(Data)) == 100
    stage.clock.advance(1)
    for _ in range(34):
        ada.here.send_data(bytes(15_000))
    assert code(ada, bytes(15_000)) == "rate_limited"
    stage.clock.advance(1)
    for _ in range(17):
        ada.here.send_data(bytes(15_000))


async def test_what_comes_over_a_channel_is_delivered_or_counted(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")

    def say(**message: object) -> None:
        ada.me.on_text("lossy", msgspec.json.encode(message).decode())

    say(payload=b64encode(b"hello").decode())
    say(payload=b64encode(b"to bob").decode(), to=[bob.id])
    assert bob.all(Data) == [Data(ada.id, b"hello", False), Data(ada.id, b"to bob", False)]
    say(payload="not base64")
    say(payload=b64encode(bytes(MESSAGE_BYTES + 1)).decode())
    say(to=[bob.id])
    ada.me.on_text("lossy", "not json")
    say(payload="", to=["nobody"])
    assert len(bob.all(Data)) == 2
    assert stage.metric("data_messages_dropped_total", reason="malformed") == 4
    assert stage.metric("data_messages_dropped_total", reason="unknown_participant") == 1

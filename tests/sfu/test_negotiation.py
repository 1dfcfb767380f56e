"""What a participant's offers do: what is taken, kept, refused, and never changed by what others do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from kernel.errors import SecureConnectError
from media.codecs.names import CodecName, Kind
from sfu.admission import Bounds, Grants
from sfu.connection import MOST_SINKS
from sfu.notices import ConnectionState, Quality, Slots, TrackPublished, TrackUnpublished
from sfu.requests import Encoding, Publication, Receive
from sfu.rooms import Mode
from sfu.sources import Source
from tests.media.sdp_offers import joined, lines_of, section, without
from tests.sfu.stage import CAMERA, EVERYTHING, MICROPHONE, SCREEN, Person, Stage, browser_offer, publications


async def refusal(
    person: Person, sdp: str, publish: Sequence[Publication] = (), receive: Receive | None = None
) -> tuple[str, str]:
    """Code, and the reason of the session description where there is one. Nothing has changed."""
    engine, stage = person.stage.engine, person.stage
    before = (str(engine), len(person.told), stage.node.load, str(person.me.connection))
    with pytest.raises(SecureConnectError) as refused:
        await person.here.negotiate(sdp, publish, receive or Receive())
    assert (str(engine), len(person.told), stage.node.load, str(person.me.connection)) == before
    return refused.value.code, refused.value.detail.split(":")[0]


def ssrcs(answer: str) -> list[int]:
    return [int(found) for found in re.findall(r"a=ssrc:(\d+) cname", answer)]


async def test_the_engine_expects_what_the_offer_announces(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    result = await ada.publish(MICROPHONE, CAMERA, simulcast=True)
    sound, picture = stage.engine.sources.values()
    assert (sound.format.mid, sound.format.kind, sound.gates) == ("a0", Kind.AUDIO, [])
    assert sound.format.payload_types == {111: CodecName.OPUS, 63: CodecName.RED}
    assert (picture.format.mid, picture.format.rids, picture.format.repairs) == ("v0", ("q", "h", "f"), {97: 96})
    assert [(one.cid, one.track) for one in result.published] == [
        ("ada-microphone", ada.track(MICROPHONE).id),
        ("ada-camera", ada.track(CAMERA).id),
    ]
    assert "a=simulcast:recv q;h;f" in lines_of(result.sdp, "v0")
    assert "192.0.2.1 3478 typ host" in result.sdp


async def test_layers_are_ordered_as_they_were_announced_and_not_as_they_were_offered(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    (camera,) = publications("ada", [CAMERA], simulcast=True)
    backwards = replace(camera, layers=tuple(reversed(camera.layers)))
    await ada.here.negotiate(browser_offer(video=1, simulcast=True), [backwards], Receive())
    (source,) = stage.engine.sources.values()
    assert source.format.rids == ("f", "h", "q")


async def test_every_slot_has_numbers_of_its_own_and_the_subscribers_own_payload_types(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    result = await ada.publish(slots=(3, 4))
    assert [(slot.mid, slot.kind) for slot in result.slots] == [
        *((f"ra{index}", Kind.AUDIO) for index in range(3)),
        *((f"rv{index}", Kind.VIDEO) for index in range(4)),
    ]
    sinks = [sink.format for sink in stage.engine.sinks.values()]
    told = ssrcs(result.sdp)
    assert len(set(told)) == len(told) == 3 + 2 * 4
    assert told == [number for one in sinks for number in (one.ssrc, one.rtx_ssrc) if number is not None]
    assert [one.stream for one in sinks] == [slot.stream for slot in result.slots]
    assert sinks[0].stream == sinks[3].stream
    assert sinks[3].payload_types == {CodecName.VP8: (96, 97)}


async def test_a_number_is_never_given_twice_and_never_one_of_the_clients(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generator is made to repeat itself, to say none and to say one of the offer's."""
    ada = stage.join(stage.room(), "ada")
    drawn = iter([1, 7, 7, 0, 4242, 8, 9, 7, 10])
    monkeypatch.setattr("sfu.connection.secrets.randbits", lambda _bits: next(drawn))
    offer = browser_offer(audio=1, slots=(0, 2)).replace("a=mid:a0\r\n", "a=mid:a0\r\na=ssrc:4242 cname:x\r\n")
    result = await ada.here.negotiate(offer, publications("ada", [MICROPHONE]), Receive(0, 2))
    assert ssrcs(result.sdp) == [7, 8, 9, 10]


async def test_fifty_who_come_and_go_change_no_description_and_no_slot_number_of_anybody(stage: Stage) -> None:
    room = stage.room()
    ada = stage.join(room, "ada")
    first = await ada.publish(MICROPHONE, slots=(3, 3))
    own = [sink for sink, held in stage.engine.sinks.items() if held.transport == ada.transport]
    for number in range(50):
        other = stage.join(room, f"guest {number}")
        await other.publish(MICROPHONE, CAMERA)
        stage.pass_time(0.2)
        if number % 2:
            other.here.leave()
    assert [sink for sink, held in stage.engine.sinks.items() if held.transport == ada.transport] == own
    again = await ada.publish(MICROPHONE, slots=(3, 3))
    assert _comparable(again.sdp) == _comparable(first.sdp)
    assert again.published == first.published
    assert again.slots == first.slots


def _comparable(sdp: str) -> list[str]:
    return [line for line in sdp.split("\r\n") if not line.startswith("o=")]


async def test_a_later_offer_adds_what_is_new_and_keeps_what_was_there(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await bob.publish(MICROPHONE, CAMERA, SCREEN)
    first = await ada.publish(MICROPHONE, slots=(1, 1))
    stage.pass_time(0.2)
    held = dict(ada.slots)
    sources = set(stage.engine.sources)
    offer = joined(ada.offer, section(browser_offer(video=1), 0))
    result = await ada.here.negotiate(offer, publications("ada", [MICROPHONE, CAMERA]), Receive(1, 1))
    assert sources < set(stage.engine.sources)
    assert [one.cid for one in result.published] == ["ada-microphone", "ada-camera"]
    assert result.published[0] == first.published[0]
    assert result.slots == first.slots
    assert lines_of(result.sdp, "rv0") == lines_of(first.sdp, "rv0")
    stage.pass_time(0.2)
    assert ada.slots == held
    assert [one.track.source for one in bob.all(TrackPublished)] == [MICROPHONE, CAMERA]


async def test_more_slots_leave_the_earlier_ones_and_their_streams_alone(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    first = await ada.publish(slots=(1, 2))
    fresh = [section(browser_offer(slots=(0, 4)), index) for index in (2, 3)]
    more = await ada.here.negotiate(joined(ada.offer, *fresh), [], Receive(1, 4))
    assert more.slots[:3] == first.slots
    streams = [slot.stream for slot in more.slots]
    assert len(set(streams)) == 4
    assert set(ssrcs(first.sdp)) < set(ssrcs(more.sdp))


async def test_a_track_that_is_no_longer_announced_is_no_longer_published(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE, CAMERA)
    camera = ada.track(CAMERA).id
    await ada.here.negotiate(ada.offer, publications("ada", [MICROPHONE]), Receive())
    assert bob.all(TrackUnpublished) == [TrackUnpublished(camera)]
    assert [one.format.mid for one in stage.engine.sources.values()] == ["a0"]


async def test_another_cid_in_the_same_section_is_another_track(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(CAMERA)
    old = ada.track(CAMERA).id
    (camera,) = publications("ada", [CAMERA])
    await ada.here.negotiate(ada.offer, [replace(camera, cid="another")], Receive())
    assert bob.all(TrackUnpublished) == [TrackUnpublished(old)]
    assert [one.track.cid for one in bob.all(TrackPublished)] == ["ada-camera", "another"]
    assert len(stage.engine.sources) == 1


async def test_a_track_that_moves_to_another_section_stays_the_same_to_everybody(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await bob.publish(slots=(1, 1))
    await ada.publish(CAMERA, SCREEN)
    ada.here.mute(ada.track(SCREEN).id, muted=True)
    ada.here.unpublish(ada.track(SCREEN).id)
    stage.pass_time(0.2)
    camera = ada.track(CAMERA)
    told = len(bob.told)
    (announced,) = publications("ada", [CAMERA])
    ada.here.mute(camera.id, muted=True)
    await ada.here.negotiate(ada.offer, [replace(announced, mid="v1")], Receive())
    assert [notice for notice in bob.told[told:] if isinstance(notice, TrackPublished | TrackUnpublished)] == []
    (source,) = stage.engine.sources.values()
    assert (source.format.mid, source.is_muted) == ("v1", True)
    assert [sink.source for sink in stage.engine.sinks.values()] == [None, camera.source]


async def test_slots_that_are_given_up_are_empty_and_come_back_with_their_numbers(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE, CAMERA)
    first = await bob.publish(slots=(1, 1))
    stage.pass_time(0.2)
    assert set(bob.slots) == {"ra0", "rv0"}
    fewer = await bob.here.negotiate(bob.offer, [], Receive(1, 0))
    assert [slot.mid for slot in fewer.slots] == ["ra0"]
    assert [sink.source for sink in stage.engine.sinks.values()] == [ada.track(MICROPHONE).source, None]
    again = await bob.here.negotiate(bob.offer, [], Receive(1, 1))
    assert ssrcs(again.sdp) == ssrcs(first.sdp)
    stage.pass_time(0.2)
    assert stage.engine.sinks[list(stage.engine.sinks)[1]].source == ada.track(CAMERA).source


async def test_new_ice_credentials_restart_ice_and_nothing_else(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    first = await ada.publish(MICROPHONE, slots=(1, 1))
    restarted = ada.offer.replace("a=ice-ufrag:abcd", "a=ice-ufrag:efgh")
    result = await ada.here.negotiate(restarted, publications("ada", [MICROPHONE]), Receive(1, 1))
    (transport,) = stage.engine.transports.values()
    assert (transport.restarts, transport.remote.ufrag) == (1, "efgh")
    assert f"a=ice-ufrag:u{ada.transport}r1" in result.sdp
    assert ssrcs(result.sdp) == ssrcs(first.sdp)
    assert len(stage.engine.sources) == 1
    await ada.here.negotiate(restarted, publications("ada", [MICROPHONE]), Receive(1, 1))
    assert transport.restarts == 1


async def test_one_negotiation_at_a_time(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    offer, announced = browser_offer(audio=1), publications("ada", [MICROPHONE])
    first = asyncio.ensure_future(ada.here.negotiate(offer, announced, Receive()))
    await asyncio.sleep(0)
    with pytest.raises(SecureConnectError) as refused:
        await ada.here.negotiate(offer, announced, Receive())
    assert refused.value.code == "negotiation_in_progress"
    assert (await first).published
    assert (await ada.here.negotiate(offer, announced, Receive())).published


async def test_who_leaves_while_their_offer_is_read_has_no_transport(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    running = asyncio.ensure_future(
        ada.here.negotiate(browser_offer(audio=1), publications("ada", [MICROPHONE]), Receive())
    )
    await asyncio.sleep(0)
    ada.here.leave()
    with pytest.raises(SecureConnectError) as refused:
        await running
    assert refused.value.code == "not_joined"


ONE = browser_offer(audio=1, video=1)


@pytest.mark.parametrize(
    ("sdp", "change", "reason"),
    [
        ("v=0", {}, "truncated"),
        (ONE, {"mid": "a7"}, "unknown_mid"),
        (ONE, {"kind": Kind.VIDEO}, "wrong_kind"),
        (ONE, {"source": CAMERA}, "wrong_kind"),
        (ONE, {"mid": "v0"}, "wrong_kind"),
        (ONE.replace("opus/48000/2", "speex/48000/2").replace("red/48000/2", "ilbc/8000"), {}, "no_common_codec"),
        (without(ONE, "rtcp-mux"), {}, "no_rtcp_mux"),
    ],
)
async def test_an_offer_that_says_something_else_than_its_request_changes_nothing(
    stage: Stage, sdp: str, change: dict[str, object], reason: str
) -> None:
    ada = stage.join(stage.room(), "ada")
    (microphone,) = publications("ada", [MICROPHONE])
    code, said = await refusal(ada, sdp, [replace(microphone, **change)])  # type: ignore[arg-type]
    assert code == "invalid_sdp"
    assert reason in ("truncated", said)


async def test_announcing_twice_or_layers_that_are_not_there_is_refused(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    microphone, camera = publications("ada", [MICROPHONE, CAMERA])
    twice = [microphone, replace(camera, cid=microphone.cid)]
    assert await refusal(ada, ONE, twice) == ("invalid_sdp", "published_twice")
    simulcast = browser_offer(video=1, simulcast=True)
    for layers in (("q", "h"), ("q", "q", "h", "f")):
        wrong = replace(camera, layers=tuple(Encoding(rid, 1, 1) for rid in layers))
        assert await refusal(ada, simulcast, [wrong]) == ("invalid_sdp", "wrong_layers")


async def test_a_later_offer_that_breaks_the_connection_is_refused_and_the_connection_goes_on(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    await ada.publish(MICROPHONE, CAMERA)
    both = publications("ada", [MICROPHONE, CAMERA])
    other_certificate = ada.offer.replace("AB:AB", "CD:AB")
    assert await refusal(ada, other_certificate, both) == ("invalid_sdp", "fingerprint_changed")
    assert await refusal(ada, browser_offer(audio=1), both[:1]) == ("invalid_sdp", "sections_removed")
    as_screen = [both[0], replace(both[1], source=SCREEN)]
    assert await refusal(ada, ada.offer, as_screen) == ("invalid_sdp", "publication_changed")
    assert len(stage.engine.sources) == 2


@pytest.mark.parametrize(
    ("grants", "publish", "receive", "code"),
    [
        (Grants(subscribe=True), [MICROPHONE], Receive(), "not_granted"),
        (Grants(publish=frozenset({CAMERA})), [CAMERA, MICROPHONE], Receive(), "not_granted"),
        (Grants(publish=frozenset({MICROPHONE})), [MICROPHONE], Receive(1, 0), "not_granted"),
        (Grants(publish=frozenset(Source), subscribe=True, hidden=True), [MICROPHONE], Receive(), "not_granted"),
        (EVERYTHING, [CAMERA] * 9, Receive(), "too_many_tracks"),
    ],
)
async def test_what_the_grants_do_not_name_is_refused(
    stage: Stage, grants: Grants, publish: list[Source], receive: Receive, code: str
) -> None:
    ada = stage.join(stage.room(), "ada", grants)
    announced = [replace(one, cid=f"{one.cid}-{index}") for index, one in enumerate(publications("ada", publish))]
    kinds = [one.kind for one in publish]
    offer = browser_offer(kinds.count(Kind.AUDIO), kinds.count(Kind.VIDEO), (receive.audio, receive.video))
    assert (await refusal(ada, offer, announced, receive))[0] == code


@pytest.mark.parametrize(
    ("bounds", "receive"), [(Bounds(transports=1), Receive()), (Bounds(slots=5), Receive(3, 3)), (None, Receive())]
)
async def test_a_node_that_is_full_refuses_and_changes_nothing(
    stage: Stage, bounds: Bounds | None, receive: Receive
) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(slots=(1, 1))
    if bounds is None:
        stage.engine.most_transports = 1
    else:
        stage.node.bounds = bounds
    code, _ = await refusal(bob, browser_offer(1, 0, (3, 3)), publications("bob", [MICROPHONE]), receive)
    assert code == "node_overloaded"


async def test_sections_used_over_and_over_come_to_an_end(stage: Stage) -> None:
    """Each new mid is another sink, and sinks live as long as their transport."""
    ada = stage.join(stage.room(), "ada")
    offer = browser_offer(slots=(0, 25))
    for turn in range(MOST_SINKS // 24):
        await ada.here.negotiate(_recycled(offer, turn), [], Receive(0, 25))
        await ada.here.negotiate(_stopped(_recycled(offer, turn)), [], Receive(0, 25))
    assert len(stage.engine.sinks) == 1 + 24 * 5
    full = _recycled(offer, 99)
    assert await refusal(ada, full, receive=Receive(0, 25)) == ("invalid_sdp", "too_many_slots")


def _recycled(offer: str, turn: int) -> str:
    return re.sub(r"\brv([1-9]\d*)\b", rf"rv\1-{turn}", offer)


def _stopped(offer: str) -> str:
    """Every section but the first is rejected."""
    head, first, *others = offer.split("m=video ")
    mid = re.search(r"a=mid:(\S+)", first)
    assert mid is not None
    head = re.sub(r"a=group:BUNDLE [^\r]*", f"a=group:BUNDLE {mid[1]}", head)
    return "m=video ".join([head, first, *(re.sub(r"^\d+", "0", one) for one in others)])


async def test_a_candidate_is_checked_for_its_form_and_forgotten(stage: Stage) -> None:
    ada = stage.join(stage.room(), "ada")
    ada.here.take_candidate("candidate:1 1 udp 2122194687 192.0.2.7 46703 typ host", "a0")
    ada.here.take_candidate("", "a0")
    with pytest.raises(SecureConnectError) as refused:
        ada.here.take_candidate("candidate:nonsense", "a0")
    assert refused.value.code == "invalid_sdp"


async def test_a_connection_that_ends_without_us_is_told_and_may_be_made_anew(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE, slots=(1, 1))
    await bob.publish(MICROPHONE)
    stage.pass_time(0.2)
    connection = ada.me.connection
    assert connection is not None
    endpoint = connection._endpoint
    assert endpoint is not None
    endpoint._fail("fingerprint_mismatch")
    assert ada.told[-1] == Quality((), ConnectionState.LOST, "handshake_failed")
    assert len(bob.all(TrackUnpublished)) == 1
    await stage.settle()
    assert stage.metric("media_handshakes_total", outcome="fingerprint_mismatch") == 1
    assert len(stage.engine.transports) == 1
    told = len(ada.all(Slots))
    await ada.here.negotiate(ada.offer, publications("ada", [MICROPHONE]), Receive(1, 1))
    stage.pass_time(0.2)
    assert len(ada.all(Slots)) == told + 1
    assert len(bob.all(TrackPublished)) == 2


async def test_a_client_whose_goodbye_was_lost_comes_back_with_another_certificate(stage: Stage) -> None:
    room = stage.room()
    ada, bob = stage.join(room, "ada"), stage.join(room, "bob")
    await ada.publish(MICROPHONE, slots=(1, 1))
    await bob.publish(MICROPHONE)
    ada.connect()
    stage.pass_time(0.2)
    old, announced = ada.transport, publications("ada", [MICROPHONE])
    another = ada.offer.replace("AB:AB", "CD:AB")
    assert await refusal(ada, another, announced, Receive(1, 1)) == ("invalid_sdp", "fingerprint_changed")
    ada.lose_consent()
    unspoken = another.replace("VP8/", "VP7/").replace("opus", "speex")
    assert await refusal(ada, unspoken, announced) == ("invalid_sdp", "nothing_in_common")
    again = await ada.here.negotiate(another, announced, Receive(1, 1))
    await stage.settle()
    assert old not in stage.engine.transports
    assert len(stage.engine.sources) == 2
    assert len(bob.all(TrackUnpublished)) == 1
    assert [one.track.id for one in bob.all(TrackPublished)][-1] == again.published[0].track
    stage.pass_time(0.2)
    assert [change.track for change in ada.all(Slots)[-1].slots] == [bob.track(MICROPHONE).id]


async def test_a_secure_room_takes_only_what_can_be_checked_and_gates_it_before_the_first_packet(stage: Stage) -> None:
    ada = stage.join(stage.room(Mode.SECURE), "ada")
    await ada.publish(MICROPHONE, CAMERA)
    for source in stage.engine.sources.values():
        assert [gate and gate.key_ids for gate in source.gates] == [(0x812300, 0x812301)]
        assert CodecName.RED not in source.format.payload_types.values()

"""What the client is made of and needs no server: keys, streams, the state of a room, sources, descriptions."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from contextlib import suppress
from typing import Any

import pytest
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st

from media import framekeys
from media.codecs.names import CodecName, Kind
from media.errors import BadPacket
from media.framecrypto import FrameEncryptor
from secureconnect import Source, Stream, TestPattern, Track, events
from secureconnect.connection import _candidates_everywhere
from secureconnect.encryption import Keyring, new_cid, read_secret
from secureconnect.model import Encryption, Joined, Limits, Participant, RoomInfo
from secureconnect.sources import Melody, Tone
from secureconnect.state import RoomState

SECRET = bytes(range(32))
ADA = Participant("p1", "ada", "Ada", None, 0.0)
BEN = Participant("p2", "ben", "Ben", None, 0.0)
INFO = RoomInfo("r1", "Stand-up", "secure", None, 10)


def rings() -> tuple[Keyring, Keyring]:
    """Of a publisher, p1, and of somebody who listens."""
    announced: dict[str, Encryption] = {}
    publisher = Keyring(SECRET, announced.get)
    announced["p1"] = publisher.announced
    return publisher, Keyring(SECRET, announced.get)


def track(cid: str, number: str = "t1") -> Track:
    return Track(number, cid, "p1", Kind.AUDIO, Source.MICROPHONE, muted=False, encrypted=True)


def test_of_several_tracks_of_one_person_the_key_tells_which_it_is() -> None:
    publisher, listener = rings()
    cids = [new_cid() for _ in range(3)]
    tracks = [track(cid, f"t{number}") for number, cid in enumerate(cids)]
    for cid, its in zip(cids, tracks, strict=True):
        sealed = publisher.sealer(cid).seal(b"frame", CodecName.OPUS)
        assert listener.open_frame(sealed, CodecName.OPUS, tracks) == (its, b"frame")


def test_a_frame_is_opened_once() -> None:
    publisher, listener = rings()
    cid = new_cid()
    sealed = publisher.sealer(cid).seal(b"frame", CodecName.OPUS)
    listener.open_frame(sealed, CodecName.OPUS, [track(cid)])
    with pytest.raises(BadPacket, match="frame_replayed"):
        listener.open_frame(sealed, CodecName.OPUS, [track(cid)])


@pytest.mark.parametrize("epochs", [(0, 1, 2), (5,), (0, 16), (3, 4)])
def test_a_publisher_that_moves_to_later_epochs_is_followed(epochs: tuple[int, ...]) -> None:
    publisher, listener = rings()
    cid = new_cid()
    encryptor: FrameEncryptor | None = None
    for epoch in epochs:
        key = framekeys.track_key(SECRET, publisher.sender, cid, epoch)
        if encryptor is None:
            encryptor = FrameEncryptor(key)
        else:
            encryptor.renew(key)
        for _ in range(3):
            sealed = encryptor.seal(b"frame", CodecName.OPUS)
            assert listener.open_frame(sealed, CodecName.OPUS, [track(cid)])[1] == b"frame"


def test_forged_later_epochs_do_not_shut_out_the_real_one() -> None:
    publisher, listener = rings()
    cid = new_cid()
    forged = FrameEncryptor(framekeys.FrameKey(1, framekeys.key_id(publisher.announced.kid_prefix, 1), bytes(32)))
    real = publisher.sealer(cid)
    for _ in range(3):
        with pytest.raises(BadPacket):
            listener.open_frame(forged.seal(b"frame", CodecName.OPUS), CodecName.OPUS, [track(cid)])
        sealed = real.seal(b"frame", CodecName.OPUS)
        assert listener.open_frame(sealed, CodecName.OPUS, [track(cid)])[1] == b"frame"


def test_messages_are_opened_in_any_order_and_once() -> None:
    publisher, listener = rings()
    sealed = [publisher.seal_message(f"message {number}".encode()) for number in range(50)]
    random.Random(1).shuffle(sealed)  # noqa: S311 - the same order each time
    opened = {listener.open_message("p1", message) for message in sealed}
    assert opened == {f"message {number}".encode() for number in range(50)}
    with pytest.raises(BadPacket, match="frame_replayed"):
        listener.open_message("p1", sealed[0])
    with pytest.raises(BadPacket, match="unknown_sender"):
        listener.open_message("p9", sealed[0])


def test_two_stays_have_nothing_in_common_that_a_nonce_is_made_of() -> None:
    first, second = Keyring(SECRET, lambda _: None), Keyring(SECRET, lambda _: None)
    assert first.sender != second.sender
    assert first.seal_message(b"same") != second.seal_message(b"same")
    assert len({new_cid() for _ in range(100)}) == 100


@pytest.mark.parametrize("prefix", ["", "k=", "#k="])
def test_a_secret_is_read_as_it_stands_in_a_link(prefix: str) -> None:
    assert read_secret(prefix + framekeys.written_secret(SECRET)) == SECRET


@pytest.mark.parametrize("secret", ["", "short", b"short"])
def test_a_secret_that_is_none_is_refused(secret: str | bytes) -> None:
    with pytest.raises(ValueError, match="secret"):
        read_secret(secret)


async def test_who_does_not_read_a_stream_loses_the_oldest() -> None:
    closed: list[Stream[int]] = []
    stream: Stream[int] = Stream(3, closed.append)
    for number in range(5):
        stream.put(number)
    stream.end()
    assert [number async for number in stream] == [2, 3, 4]
    assert stream.lost == 2
    stream.close()
    stream.close()
    assert closed == [stream]


async def test_a_stream_that_is_closed_ends_who_waits_for_it() -> None:
    stream: Stream[int] = Stream(3, lambda _: None)
    waiting = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)
    stream.close()
    assert await waiting is None


def said(state: RoomState, what: str, **data: Any) -> list[events.Event]:
    return list(state.apply(what, json.dumps(data).encode()))


def joined(*tracks: Track) -> RoomState:
    state = RoomState()
    limits = Limits(16, 16, 15_000)
    state.join(Joined(ADA, INFO, (BEN,), tracks, (), (), "resume", limits))
    return state


def test_our_own_tracks_are_not_among_those_of_others() -> None:
    mine, theirs = track("c1"), Track("t2", "c2", "p2", Kind.VIDEO, Source.CAMERA, muted=False, encrypted=True)
    state = joined(mine, theirs)
    assert state.tracks == {"t2": theirs}
    assert not said(
        state,
        "track_published",
        id="t3",
        cid="c3",
        participant="p1",
        kind="audio",
        source="microphone",
        muted=False,
        encrypted=True,
    )


def test_notices_about_who_and_what_is_gone_are_no_events() -> None:
    state = joined()
    assert not said(state, "participant_left", participant="p9", reason="left")
    assert not said(state, "track_unpublished", track="t9")
    assert not said(state, "track_muted", track="t9", muted=True, by="gate")
    assert not said(state, "something_new", whatever=1)


def test_what_is_said_of_ourselves_is_about_us() -> None:
    state = joined()
    said(state, "participant_updated", id="p1", identity="ada", name="Countess", metadata=None, joined_at=0)
    assert state.me is not None
    assert state.me.name == "Countess"
    assert set(state.participants) == {"p2"}


def test_a_room_that_changes_its_mode_says_so() -> None:
    state = joined()
    assert said(state, "mode", mode="intelligent") == [events.ModeChanged("intelligent")]
    assert state.info is not None
    assert state.info.mode == "intelligent"


ANSWER = (
    "v=0\r\na=ice-lite\r\n"
    "m=audio 1 X 96\r\na=candidate:1 1 udp 1 h 1 typ host\r\na=end-of-candidates\r\na=fmtp:96 m=1\r\n"
)


@given(st.integers(min_value=0, max_value=4))
def test_every_section_of_an_answer_gets_the_candidates_of_the_first(more: int) -> None:
    answer = _candidates_everywhere(ANSWER + "m=video 1 X 97\r\na=mid:1\r\n" * more)
    head, *sections = answer.split("\r\nm=")
    assert head == "v=0\r\na=ice-lite"
    assert len(sections) == 1 + more
    assert all(section.count("a=candidate:1 ") == 1 and "a=end-of-candidates" in section for section in sections)
    assert answer.endswith("\r\n")


@pytest.mark.virtual_time
async def test_a_melody_plays_its_notes_in_their_time_and_ends() -> None:
    melody = Melody([(440.0, 0.1), (0.0, 0.05), (880.0, 0.1)])
    loop = asyncio.get_running_loop()
    began = loop.time()
    heard: list[int] = []
    with suppress(MediaStreamError):
        while True:
            frame = await melody.recv()
            heard += memoryview(bytes(frame.planes[0])).cast("h")[: frame.samples]
    assert melody.readyState == "ended"
    assert loop.time() - began == pytest.approx(0.26, abs=0.021)
    assert crossings(heard[:4_800]) == pytest.approx(44, abs=2)
    assert not any(heard[4_900:7_100])
    assert crossings(heard[7_200:12_000]) == pytest.approx(88, abs=2)


def crossings(samples: list[int]) -> int:
    return sum(1 for before, after in itertools.pairwise(samples) if before < 0 <= after)


@pytest.mark.virtual_time
async def test_sources_keep_their_pace_and_number_their_frames() -> None:
    tone, pattern = Tone(), TestPattern(64, 48, 25)
    loop = asyncio.get_running_loop()
    began = loop.time()
    sounds = [await tone.recv() for _ in range(50)]
    assert loop.time() - began == pytest.approx(0.98, abs=0.01)
    assert [frame.pts for frame in sounds] == [960 * number for number in range(50)]
    began = loop.time()
    pictures = [await pattern.recv() for _ in range(25)]
    assert loop.time() - began == pytest.approx(0.96, abs=0.01)
    assert [frame.pts for frame in pictures] == [3_600 * number for number in range(25)]
    assert bytes(pictures[0].planes[0]) != bytes(pictures[1].planes[0])
    tone.stop()
    with pytest.raises(MediaStreamError):
        await tone.recv()

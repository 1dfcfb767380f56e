"""DTLS-SRTP against the client's end of aiortc, datagram by datagram."""

from __future__ import annotations

import asyncio
import itertools
import os
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiortc import RTCCertificate, rtcdtlstransport
from hypothesis import given
from hypothesis import strategies as st

from media import dtlsrecords
from media.dtls import LARGEST_DATAGRAM, DtlsFailed, DtlsIdentity
from media.engine import SrtpKeys, SrtpProfile
from media.sdp.model import Fingerprint
from tests.media.dtlspeers import Pair, fingerprints, losing, made_pair

MakePair = Callable[..., Pair]


@pytest.fixture(scope="module")
def identity() -> DtlsIdentity:
    return DtlsIdentity.make()


@pytest.fixture(name="make")
async def pairs_that_are_closed(identity: DtlsIdentity) -> AsyncIterator[MakePair]:
    made: list[Pair] = []

    def make(**options: Any) -> Pair:
        made.append(made_pair(identity, **options))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (rtcdtlstransport.SRTP_PROFILES, SrtpProfile.AEAD_AES_256_GCM),
        (list(reversed(rtcdtlstransport.SRTP_PROFILES)), SrtpProfile.AEAD_AES_256_GCM),
        (rtcdtlstransport.SRTP_PROFILES[1:], SrtpProfile.AEAD_AES_128_GCM),
        (rtcdtlstransport.SRTP_PROFILES[2:], SrtpProfile.AES_CM_128_HMAC_SHA1_80),
    ],
)
async def test_both_ends_have_the_same_keys_of_the_strongest_profile_that_the_peer_offers(
    make: MakePair, offered: list[rtcdtlstransport.SRTPProtectionProfile], agreed: SrtpProfile
) -> None:
    pair = make()
    pair.client._srtp_profiles = offered
    _, keys = await asyncio.gather(pair.client.start(pair.expected), pair.endpoint.connect(10))
    assert keys.profile is agreed
    assert keys == client_keys(pair)
    assert pair.endpoint.is_connected
    assert pair.client.state == "connected"


def client_keys(pair: Pair) -> SrtpKeys:
    """As aiortc computes them."""
    connection = pair.client._ssl
    assert connection is not None
    (profile,) = [
        one for one in rtcdtlstransport.SRTP_PROFILES if one.openssl_profile == connection.get_selected_srtp_profile()
    ]
    exported = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length))
    return SrtpKeys(
        SrtpProfile(profile.openssl_profile.decode().removeprefix("SRTP_").replace("AES128_CM_", "AES_CM_128_HMAC_")),
        receive=profile.get_key_and_salt(exported, 0),
        send=profile.get_key_and_salt(exported, 1),
    )


async def test_a_peer_with_another_certificate_than_it_announced_is_refused(make: MakePair) -> None:
    stranger = RTCCertificate.generateCertificate()
    pair = make(expect_client=tuple(fingerprints(stranger, "sha-256")))
    start = asyncio.ensure_future(pair.client.start(pair.expected))
    with pytest.raises(DtlsFailed) as refused:
        await pair.endpoint.connect(10)
    await start
    assert refused.value.code == "fingerprint_mismatch"
    assert pair.ends == ["fingerprint_mismatch"]
    pair.endpoint.send_data(b"secret")
    assert not pair.endpoint.is_connected


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
async def test_a_fingerprint_may_be_of_any_strong_hash(identity: DtlsIdentity, algorithm: str) -> None:
    pair = made_pair(identity)
    certificate = pair.client._RTCDtlsTransport__local_certificate  # type: ignore[attr-defined]
    pair.endpoint._expected = tuple(fingerprints(certificate, algorithm))
    await pair.shake_hands()
    assert pair.endpoint.is_connected
    await pair.close()


@pytest.mark.parametrize(
    ("expected", "matches"),
    [
        (("sha-256:own",), True),
        (("sha-256:other",), False),
        (("sha-256:other", "sha-256:own"), True),
        (("sha-512:other", "sha-256:own"), False),
        (("sha-512:own", "sha-256:other"), True),
        (("sha-1:own",), False),
        ((), False),
    ],
)
async def test_the_strongest_hash_that_both_know_decides(
    make: MakePair, expected: tuple[str, ...], matches: bool
) -> None:
    other = RTCCertificate.generateCertificate()
    pair = make()
    own = pair.client._RTCDtlsTransport__local_certificate  # type: ignore[attr-defined]
    prints: list[Fingerprint] = []
    for one in expected:
        algorithm, whose = one.split(":")
        found = fingerprints(own if whose == "own" else other, algorithm)
        prints.append(next(found, Fingerprint(algorithm, bytes(20))))
    pair.endpoint._expected = tuple(prints)
    start = asyncio.ensure_future(pair.client.start(pair.expected))
    if matches:
        await pair.endpoint.connect(10)
    else:
        with pytest.raises(DtlsFailed, match="fingerprint_mismatch"):
            await pair.endpoint.connect(10)
    await start


async def test_a_peer_without_a_profile_of_ours_is_refused(make: MakePair) -> None:
    pair = make()
    unknown = rtcdtlstransport.SRTPProtectionProfile(0, b"SRTP_AES128_CM_SHA1_32", 16, 14)
    pair.client._srtp_profiles = [unknown]
    start = asyncio.ensure_future(pair.client.start(pair.expected))
    with pytest.raises(DtlsFailed, match="no_srtp_profile"):
        await pair.endpoint.connect(10)
    await start
    assert pair.client.state == "failed"


async def test_a_silent_peer_is_given_up_after_the_time_of_the_whole_handshake(make: MakePair) -> None:
    pair = make()
    with pytest.raises(DtlsFailed, match="handshake_timeout"):
        await pair.endpoint.connect(0.05)
    assert pair.ends == ["handshake_timeout"]
    assert pair.said == []


async def test_a_handshake_that_never_gets_anywhere_does_not_keep_the_endpoint(make: MakePair) -> None:
    """The client's second flight is lost for ever, its first is not: something arrives again and again."""
    pair = make(lost_up=lambda datagram: not dtlsrecords.is_client_hello(datagram))
    start = asyncio.ensure_future(pair.client.start(pair.expected))
    with pytest.raises(DtlsFailed, match="handshake_timeout"):
        await pair.endpoint.connect(0.3)
    pair.wire.inbox.put_nowait(None)
    await start


@pytest.mark.parametrize("lost", range(2))
@pytest.mark.parametrize("up", [True, False])
async def test_any_one_datagram_of_the_handshake_may_be_lost(make: MakePair, lost: int, up: bool) -> None:
    pair = make(**{"lost_up" if up else "lost_down": losing(lost)})
    await pair.shake_hands()
    assert pair.endpoint.is_connected
    assert pair.client.state == "connected"


async def test_a_repeated_hello_is_answered_at_once_and_not_after_openssl_s_second(make: MakePair) -> None:
    pair = make(lost_down=lambda _: True)
    start = asyncio.ensure_future(pair.client.start(pair.expected))
    await asyncio.sleep(0)
    (hello,) = pair.wire.sent
    first = len(pair.said)
    assert first > 0
    pair.endpoint.receive(hello)
    assert len(pair.said) == first, "sooner than a round trip it is no loss"
    await asyncio.sleep(0.06)
    said = list(pair.said)
    pair.endpoint.receive(hello)
    assert pair.said[len(said) :] == said[:first]
    pair.wire.inbox.put_nowait(None)
    await start


async def test_without_a_path_little_is_sent_and_ever_more_rarely(make: MakePair) -> None:
    pair = make(lost_down=lambda _: True)
    start = asyncio.ensure_future(pair.client.start(pair.expected))
    with pytest.raises(DtlsFailed):
        await pair.endpoint.connect(2.5)
    pair.wire.inbox.put_nowait(None)
    await start
    assert 0 < len(pair.said) <= 6


async def test_a_hello_in_fragments_is_put_together(identity: DtlsIdentity) -> None:
    """Browsers' hellos with post-quantum key shares need several datagrams."""
    pair = made_pair(identity)
    deliver = pair.wire.deliver

    def in_fragments(datagram: bytes) -> None:
        if dtlsrecords.is_client_hello(datagram):
            for piece in reversed(fragments(datagram, 60)):
                deliver(piece)
        else:
            deliver(datagram)

    pair.wire.deliver = in_fragments
    await pair.shake_hands()
    assert pair.endpoint.is_connected
    assert not pair.endpoint.drops
    await pair.close()


def fragments(hello: bytes, size: int) -> list[bytes]:
    """RFC 6347, section 4.2.3: one message in many records."""
    header, message = hello[:13], hello[13:]
    body = message[12:]
    pieces = []
    for number, at in enumerate(range(0, len(body), size)):
        part = body[at : at + size]
        fragment = message[:6] + at.to_bytes(3, "big") + len(part).to_bytes(3, "big") + part
        sequence = int.from_bytes(header[5:11], "big") + number
        pieces.append(header[:5] + sequence.to_bytes(6, "big") + struct.pack("!H", len(fragment)) + fragment)
    return pieces


async def test_garbage_between_the_datagrams_of_a_handshake_is_passed_over(identity: DtlsIdentity) -> None:
    pair = made_pair(identity)
    deliver = pair.wire.deliver

    def with_garbage(datagram: bytes) -> None:
        truncated = datagram[: len(datagram) // 2]
        for rubbish in (b"", b"\x16", os.urandom(900), b"\x16\xfe\xfd" + os.urandom(700), truncated):
            deliver(rubbish)
        deliver(datagram)

    pair.wire.deliver = with_garbage
    await pair.shake_hands()
    assert pair.endpoint.is_connected
    assert pair.endpoint.drops["dtls_malformed"] >= 10
    await pair.close()


async def test_data_goes_both_ways_and_what_comes_before_anybody_listens_is_kept(make: MakePair) -> None:
    pair = make()
    await pair.shake_hands()
    for number in range(20):
        await pair.client._send_data(bytes([number]))
    heard: list[bytes] = []
    pair.endpoint.receive_data(heard.append)
    assert heard == [bytes([number]) for number in range(16)]
    assert pair.endpoint.drops == {"dtls_early_data": 4}
    await pair.client._send_data(b"x" * 1189)
    assert heard[-1] == b"x" * 1189

    class Receiver:
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def _handle_data(self, data: bytes) -> None:
            self.heard.put_nowait(data)

    receiver = Receiver()
    pair.client._register_data_receiver(receiver)
    pair.endpoint.send_data(b"hello")
    assert await asyncio.wait_for(receiver.heard.get(), 5) == b"hello"


async def test_forged_and_replayed_records_end_nothing(make: MakePair) -> None:
    pair = make()
    await pair.shake_hands()
    heard: list[bytes] = []
    pair.endpoint.receive_data(heard.append)
    await pair.client._send_data(b"once")
    record = pair.wire.sent[-1]
    pair.endpoint.receive(record)
    pair.endpoint.receive(record[:-1] + bytes([record[-1] ^ 1]))
    alert = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"
    pair.endpoint.receive(alert)
    await pair.client._send_data(b"twice")
    assert heard == [b"once", b"twice"]
    assert pair.endpoint.is_connected


async def test_a_peer_that_says_goodbye_is_told_of(make: MakePair) -> None:
    pair = make()
    await pair.shake_hands()
    await pair.client.stop()
    assert pair.ends == ["closed_by_peer"]
    pair.endpoint.receive(pair.wire.sent[-1])
    assert pair.endpoint.drops == {"dtls_after_end": 1}


async def test_closing_tells_the_peer_and_happens_once(make: MakePair) -> None:
    pair = make()
    await pair.shake_hands()
    await pair.endpoint.close()
    await pair.endpoint.close()
    assert pair.ends == ["closed"]
    async with asyncio.timeout(5):
        while pair.client.state != "closed":
            await asyncio.sleep(0.01)


async def test_closing_ends_the_wait_for_a_handshake(make: MakePair) -> None:
    pair = make()
    waiting = asyncio.ensure_future(pair.endpoint.connect(10))
    await asyncio.sleep(0)
    await pair.endpoint.close()
    with pytest.raises(DtlsFailed, match="closed"):
        await waiting


async def test_one_identity_serves_many_peers_at_once(make: MakePair) -> None:
    pairs = [make() for _ in range(10)]
    keys = await asyncio.gather(
        *(one.endpoint.connect(10) for one in pairs), *(one.client.start(one.expected) for one in pairs)
    )
    assert len({one.receive for one in keys[:10]}) == 10  # type: ignore[union-attr]


async def test_every_datagram_of_ours_fits_a_narrow_path(make: MakePair) -> None:
    pair = make()
    await pair.shake_hands()
    assert max(map(len, pair.said)) <= LARGEST_DATAGRAM


@given(st.binary(max_size=300))
def test_any_bytes_are_either_records_or_not(datagram: bytes) -> None:
    if dtlsrecords.is_wellformed(datagram):
        dtlsrecords.is_client_hello(datagram)
        assert b"".join(dtlsrecords.datagrams(datagram, 100)) == datagram


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=12), st.integers(min_value=1, max_value=1500))
def test_output_is_cut_between_records_and_each_piece_is_as_large_as_fits(bodies: list[bytes], most: int) -> None:
    records = [b"\x17\xfe\xfd" + bytes(8) + struct.pack("!H", len(body)) + body for body in bodies]
    pieces = list(dtlsrecords.datagrams(b"".join(records), most))
    assert b"".join(pieces) == b"".join(records)
    assert all(dtlsrecords.is_wellformed(piece) for piece in pieces)
    for piece, following in itertools.pairwise(pieces):
        (first,) = struct.unpack_from("!H", following, 11)
        assert len(piece) + 13 + first > most
    assert all(len(piece) <= most or piece in records for piece in pieces)

"""SRTP as the engine calls it: what pylibsrtp says is what our shorter way says."""

from __future__ import annotations

import os

import pytest
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]  # a compiled module without types

from media.engine import SrtpKeys, SrtpProfile
from media.errors import BadPacket
from media.portable.srtp import LONGEST, MOST_SSRCS, Srtp
from media.rtcp import PictureLoss, build
from media.rtp import Header
from media.rtp import build as build_rtp
from tests.media import peers


def packet(sequence: int, payload: bytes = b"sound") -> bytes:
    return build_rtp(Header(payload_type=111, sequence=sequence & 0xFFFF, timestamp=sequence * 960, ssrc=7), payload)


def forged(datagram: bytes) -> bytes:
    return datagram[:-1] + bytes((datagram[-1] ^ 1,))


@pytest.mark.parametrize("profile", SrtpProfile)
def test_what_we_protect_pylibsrtp_reads_and_the_other_way_round(profile: SrtpProfile) -> None:
    peer = peers.Srtp(profile)
    ours = Srtp(peer.engine_keys)
    assert peer.unprotect(bytes(ours.protect(packet(1)))) == packet(1)
    assert bytes(ours.unprotect(peer.protect(packet(2)))) == packet(2)
    feedback = build((PictureLoss(1, 2),))
    assert peer.unprotect_rtcp(bytes(ours.protect_rtcp(feedback))) == feedback
    assert bytes(ours.unprotect_rtcp(peer.protect_rtcp(feedback))) == feedback


@pytest.mark.parametrize("profile", SrtpProfile)
def test_a_packet_that_came_already_is_a_replay_and_a_changed_one_is_not_authentic(profile: SrtpProfile) -> None:
    peer = peers.Srtp(profile)
    ours = Srtp(peer.engine_keys)
    first = peer.protect(packet(1))
    ours.unprotect(first)
    with pytest.raises(BadPacket, match="srtp_replay"):
        ours.unprotect(first)
    with pytest.raises(BadPacket, match="srtp_auth"):
        ours.unprotect(forged(peer.protect(packet(2))))
    with pytest.raises(BadPacket, match="srtp_malformed"):
        ours.unprotect(b"\x80\x60\x00")


def test_a_packet_may_be_late_by_a_thousand_others() -> None:
    peer = peers.Srtp()
    ours = Srtp(peer.engine_keys)
    sent = [peer.protect(packet(number)) for number in range(1100)]
    for one in sent[2:1001]:
        ours.unprotect(one)
    assert bytes(ours.unprotect(sent[1])) == packet(1)
    ours.unprotect(sent[-1])
    with pytest.raises(BadPacket, match="srtp_replay"):
        ours.unprotect(sent[0])


def test_the_same_packet_can_be_sent_again() -> None:
    ours = Srtp(peers.Srtp().engine_keys)
    assert bytes(ours.protect(packet(1))) == bytes(ours.protect(packet(1)))


def test_what_is_longer_than_our_buffer_is_refused_before_it_is_touched() -> None:
    ours = Srtp(peers.Srtp().engine_keys)
    with pytest.raises(BadPacket, match="srtp_long"):
        ours.protect(packet(1, bytes(LONGEST)))
    with pytest.raises(BadPacket, match="srtp_long"):
        ours.unprotect(bytes(LONGEST + 1))
    assert len(ours.protect(packet(1, bytes(LONGEST - 12)))) > LONGEST


def test_new_ssrcs_are_taken_up_to_a_bound_and_forged_ones_do_not_count() -> None:
    peer = peers.Srtp()
    ours = Srtp(peer.engine_keys)

    def of(ssrc: int, sequence: int = 1) -> bytes:
        return peer.protect(build_rtp(Header(payload_type=96, sequence=sequence, timestamp=0, ssrc=ssrc), b"picture"))

    for ssrc in range(2 * MOST_SSRCS):
        with pytest.raises(BadPacket, match="srtp_auth"):
            ours.unprotect(forged(of(ssrc)))
    for ssrc in range(MOST_SSRCS):
        ours.unprotect(of(ssrc, 2))
    with pytest.raises(BadPacket, match="srtp_ssrcs_full"):
        ours.unprotect(of(MOST_SSRCS))
    with pytest.raises(BadPacket, match="srtp_ssrcs_full"):
        ours.unprotect_rtcp(peer.protect_rtcp(build((PictureLoss(MOST_SSRCS, 1),))))
    ours.unprotect(of(0, 3))


def test_keys_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="28 bytes"):
        Srtp(SrtpKeys(SrtpProfile.AEAD_AES_128_GCM, os.urandom(10), os.urandom(28)))


def test_pylibsrtp_still_has_what_our_shorter_way_uses() -> None:
    """Fails when a new version moves it: then srtp.py is what to look at."""
    session = peers.Srtp()._out
    assert ffi.typeof(session._srtp) == ffi.typeof("srtp_t *")
    for name in ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp"):
        function = ffi.typeof(getattr(lib, name))
        assert [argument.cname for argument in function.args] == ["struct srtp_ctx_t_ *", "void *", "int *"], name
    assert lib.srtp_err_status_ok == 0

"""SRTP of one transport, by libsrtp as pylibsrtp brings it.

Packets go through libsrtp in a buffer of ours: pylibsrtp's own wrapper allocates and copies twice a packet, which is
half of what a packet costs, and takes no more than 1,356 bytes. That needs its two private names, ``ffi`` and ``lib``;
they are used in this file alone, and a test says what we expect of them.

A session is of one thread: libsrtp has no locks and cffi lets go of the interpreter's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]  # a compiled module without types

from media.engine import SrtpKeys, SrtpProfile
from media.errors import BadPacket

# RFC 3711 section 3.3.2 has 64 at least; a burst of a second's repairs is older than that.
REPLAY_WINDOW: Final = 1024
# libsrtp keeps something for each SSRC that ever came, some hundred bytes, and forgets none. A camera with all its
# encodings and their repairs has six; whoever has so many is not a browser.
MOST_SSRCS: Final = 1024
# Our datagrams are smaller; the rest is room for libsrtp's trailer of 16 + 128 bytes, and 4 in RTCP.
LONGEST: Final = 2048 - 160

_PROFILES: Final = {
    SrtpProfile.AEAD_AES_256_GCM: Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    SrtpProfile.AEAD_AES_128_GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    SrtpProfile.AES_CM_128_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}
# Of srtp_err_status_t; whatever else it may say is ``srtp_failed``.
_REASONS: Final = {
    2: "srtp_malformed",
    7: "srtp_auth",
    9: "srtp_replay",
    10: "srtp_replay",
    21: "srtp_malformed",
    26: "srtp_replay",
}

# The engine is one thread and each call is done with the buffer before the next: one for all sessions.
_cells: Any = ffi.new("char[]", 2048)
_length: Any = ffi.new("int *")
_bytes: Final[memoryview] = memoryview(ffi.buffer(_cells)).cast("B")


def _session(profile: SrtpProfile, key: bytes, direction: int) -> Session:
    """Raises ValueError for a key of the wrong length."""
    policy = Policy(key, direction, srtp_profile=_PROFILES[profile])
    policy.window_size = REPLAY_WINDOW
    # A subscriber's repair may be the very packet once more.
    policy.allow_repeat_tx = True
    try:
        return Session(policy)
    except Error as error:
        raise ValueError("libsrtp does not take these keys") from error


class Srtp:
    """Both directions of a transport. What it returns is a view of one shared buffer, good until the next call of any
    of them. Raises BadPacket ``srtp_...`` for what cannot be read or sent."""

    __slots__ = ("_in", "_out", "_receiving", "_sending", "_ssrcs")

    def __init__(self, keys: SrtpKeys) -> None:
        self._receiving = _session(keys.profile, keys.receive, Policy.SSRC_ANY_INBOUND)
        self._sending = _session(keys.profile, keys.send, Policy.SSRC_ANY_OUTBOUND)
        self._ssrcs: set[bytes] = set()
        # The sessions own what these point to.
        self._in: Any = self._receiving._srtp[0]  # noqa: SLF001
        self._out: Any = self._sending._srtp[0]  # noqa: SLF001

    def unprotect(self, datagram: bytes | memoryview) -> memoryview:
        return self._opened(lib.srtp_unprotect, datagram, bytes(datagram[8:12]))

    def unprotect_rtcp(self, datagram: bytes | memoryview) -> memoryview:
        return self._opened(lib.srtp_unprotect_rtcp, datagram, bytes(datagram[4:8]))

    def _opened(self, work: Callable[[Any, Any, Any], int], datagram: bytes | memoryview, ssrc: bytes) -> memoryview:
        if ssrc in self._ssrcs:
            return _worked(work, self._in, datagram)
        if len(self._ssrcs) >= MOST_SSRCS:
            raise BadPacket("srtp_ssrcs_full")
        opened = _worked(work, self._in, datagram)
        self._ssrcs.add(ssrc)
        return opened

    def protect(self, packet: bytes | memoryview) -> memoryview:
        length = len(packet)
        if length > LONGEST:
            raise BadPacket("srtp_long")
        _bytes[:length] = packet
        _length[0] = length
        status = lib.srtp_protect(self._out, _cells, _length)
        if status:
            raise BadPacket(_REASONS.get(status, "srtp_failed"))
        return _bytes[: _length[0]]

    def protect_rtcp(self, packet: bytes | memoryview) -> memoryview:
        return _worked(lib.srtp_protect_rtcp, self._out, packet)


def _worked(work: Callable[[Any, Any, Any], int], session: Any, data: bytes | memoryview) -> memoryview:
    length = len(data)
    if length > LONGEST:
        raise BadPacket("srtp_long")
    _bytes[:length] = data
    _length[0] = length
    status = work(session, _cells, _length)
    if status:
        raise BadPacket(_REASONS.get(status, "srtp_failed"))
    return _bytes[: _length[0]]

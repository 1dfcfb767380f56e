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


class Scratch:
    """Where packets are worked on, one after another. It belongs to one thread."""

    __slots__ = ("bytes", "cells", "length")

    def __init__(self) -> None:
        self.cells: Any = ffi.new("char[]", 2048)
        self.length: Any = ffi.new("int *")
        self.bytes: Final[memoryview] = memoryview(ffi.buffer(self.cells)).cast("B")


class Srtp:
    """Both directions of a transport. What it returns is a view of ``scratch``, good until the next call of any that
    shares it. Raises BadPacket ``srtp_...`` for what cannot be read or sent."""

    __slots__ = ("_bytes", "_cells", "_in", "_length", "_out", "_receiving", "_sending", "_ssrcs")

    def __init__(self, keys: SrtpKeys, scratch: Scratch | None = None) -> None:
        scratch = scratch or Scratch()
        self._cells, self._length, self._bytes = scratch.cells, scratch.length, scratch.bytes
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
            return self._worked(work, self._in, datagram)
        if len(self._ssrcs) >= MOST_SSRCS:
            raise BadPacket("srtp_ssrcs_full")
        opened = self._worked(work, self._in, datagram)
        self._ssrcs.add(ssrc)
        return opened

    def protect(self, packet: bytes | memoryview) -> memoryview:
        return self._worked(lib.srtp_protect, self._out, packet)

    def protect_rtcp(self, packet: bytes | memoryview) -> memoryview:
        return self._worked(lib.srtp_protect_rtcp, self._out, packet)

    def _worked(self, work: Callable[[Any, Any, Any], int], session: Any, data: bytes | memoryview) -> memoryview:
        size, length = len(data), self._length
        if size > LONGEST:
            raise BadPacket("srtp_long")
        self._bytes[:size] = data
        length[0] = size
        status = work(session, self._cells, length)
        if status:
            raise BadPacket(_REASONS.get(status, "srtp_failed"))
        return self._bytes[: length[0]]

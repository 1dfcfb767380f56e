"""The server's end of DTLS-SRTP (RFC 5764) on OpenSSL: datagrams in, datagrams and keys out. No sockets.

One certificate and one OpenSSL context serve all peers of a process: who a peer is, is said by its fingerprint, and who
we are by ours, both over signaling. SRTP itself is the engine's; here only its keys are agreed.

Everything happens at once on the event loop's thread: a handshake costs about a millisecond, over four datagrams.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from media import dtlsrecords
from media.engine import SrtpKeys, SrtpProfile
from media.sdp.model import Fingerprint

# Smallest MTU of IPv6 less the headers of IPv6, UDP and a TURN server's channel.
LARGEST_DATAGRAM: Final = 1200
# Nothing sensible is longer than a handshake's time-outs of 1, 2, 4 and 8 seconds.
HANDSHAKE_TIMEOUT: Final = 15.0
# OpenSSL waits a second before it repeats a flight; browsers repeat theirs after 50 ms, and so learn of our loss first.
_REPEAT_AFTER: Final = 0.05
# Association requests that overtake the start of the data channels; more come again by SCTP's own repetition.
_EARLY_MESSAGES: Final = 16
_DTLS_1_2: Final = 0xFEFD
_LARGEST_RECORD: Final = 2**14

_HASHES: Final[dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]]] = {
    "sha-512": hashes.SHA512,
    "sha-384": hashes.SHA384,
    "sha-256": hashes.SHA256,
}
"""The strongest first: RFC 8122, section 5 lets the strongest that both know decide."""


@dataclass(frozen=True, slots=True)
class _ProfileFigures:
    profile: SrtpProfile
    key: int
    salt: int


# In the order in which we choose.
_PROFILES: Final = {
    b"SRTP_AEAD_AES_256_GCM": _ProfileFigures(SrtpProfile.AEAD_AES_256_GCM, 32, 12),
    b"SRTP_AEAD_AES_128_GCM": _ProfileFigures(SrtpProfile.AEAD_AES_128_GCM, 16, 12),
    b"SRTP_AES128_CM_SHA1_80": _ProfileFigures(SrtpProfile.AES_CM_128_HMAC_SHA1_80, 16, 14),
}
_CIPHERS: Final = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"


class DtlsFailed(Exception):
    """``code`` is stable: ``fingerprint_mismatch``, ``no_srtp_profile``, ``handshake_failed``, ``handshake_timeout``,
    ``closed``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, eq=False)
class DtlsIdentity:
    """Made once in a process. ``fingerprint`` belongs into every description."""

    fingerprint: Fingerprint
    context: SSL.Context = field(repr=False)

    @classmethod
    def make(cls) -> DtlsIdentity:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(key)
        context = SSL.Context(SSL.DTLS_METHOD)
        # Records of DTLS 1.3 look different; browsers speak both, and one is enough to read and to test.
        context.set_min_proto_version(_DTLS_1_2)
        context.set_max_proto_version(_DTLS_1_2)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # Certificates sign themselves: only the fingerprint is checked, once the peer has proven to hold the key.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(_PROFILES))
        return cls(Fingerprint("sha-256", certificate.fingerprint(hashes.SHA256())), context)


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Nobody looks at its dates; a year, so that no server outlives it by surprise of a stricter browser."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, os.urandom(8).hex())])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=366))
    return dated.sign(key, hashes.SHA256())


def is_certificate_of(certificate: x509.Certificate, fingerprints: Sequence[Fingerprint]) -> bool:
    """By the strongest hash that both know; no fingerprint that we know is no match."""
    for name, algorithm in _HASHES.items():
        named = [one.digest for one in fingerprints if one.algorithm.lower() == name]
        if named:
            return certificate.fingerprint(algorithm()) in named
    return False


class DtlsEndpoint:
    """Of one peer, which is the client: our answers say ``setup:passive``. ``send`` takes a datagram. ``drops`` counts
    what was left out, by name: ``dtls_malformed``, ``dtls_early_data``, ``dtls_after_end``."""

    def __init__(
        self,
        identity: DtlsIdentity,
        remote_fingerprints: Sequence[Fingerprint],
        send: Callable[[bytes], None],
        *,
        on_closed: Callable[[str], None] | None = None,
    ) -> None:
        self.drops: Counter[str] = Counter()
        self._expected = tuple(remote_fingerprints)
        self._send = send
        self._on_closed = on_closed
        self._on_data: Callable[[bytes], None] | None = None
        self._early: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._keys: asyncio.Future[SrtpKeys] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._flight: tuple[bytes, ...] = ()
        self._flight_at = 0.0
        self._ended = False
        self._ssl = SSL.Connection(identity.context)
        self._ssl.set_ciphertext_mtu(LARGEST_DATAGRAM)
        self._ssl.set_accept_state()

    @property
    def is_connected(self) -> bool:
        return not self._ended and self._keys.done()

    async def connect(self, timeout: float = HANDSHAKE_TIMEOUT) -> SrtpKeys:
        """Waits for the peer's handshake; for all of it, however slowly it goes on. Raises DtlsFailed, and the endpoint
        has ended then."""
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(self._keys)
        except TimeoutError:
            self._fail("handshake_timeout")
            raise DtlsFailed("handshake_timeout") from None

    def receive(self, datagram: bytes) -> None:
        """What the engine received for it."""
        if self._ended:
            self.drops["dtls_after_end"] += 1
        elif not dtlsrecords.is_wellformed(datagram):
            self.drops["dtls_malformed"] += 1
        else:
            self._ssl.bio_write(datagram)
            if self._keys.done():
                self._read()
            else:
                self._shake_hands(datagram)

    def receive_data(self, on_data: Callable[[bytes], None]) -> None:
        """From now on, what the peer sends over DTLS goes there, the little that came early first."""
        self._on_data = on_data
        while self._early:
            on_data(self._early.popleft())

    def send_data(self, data: bytes) -> None:
        """At most what fits into one datagram. Without effect unless connected: SCTP has time-outs of its own."""
        if self.is_connected:
            self._ssl.send(data)
            self._flush()

    async def close(self) -> None:
        """Says goodbye where there is somebody to say it to. May be called again."""
        if not self._ended:
            if self._keys.done():
                self._say_goodbye()
            self._end("closed")

    def _shake_hands(self, datagram: bytes | None) -> None:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            if not self._flush(keep=True) and datagram is not None and dtlsrecords.is_client_hello(datagram):
                self._repeat_flight()
            self._arm()
        except SSL.Error:
            self._flush()
            self._fail("handshake_failed")
        else:
            self._flush()
            self._finish()

    def _repeat_flight(self) -> None:
        """The peer begins again, so it has not heard us. The same bytes again: where they did arrive, they are taken
        for what they are, a network's duplicates."""
        now = self._loop.time()
        if now - self._flight_at >= _REPEAT_AFTER:
            self._flight_at = now
            for datagram in self._flight:
                self._send(datagram)

    def _finish(self) -> None:
        self._disarm()
        self._flight = ()
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None or not is_certificate_of(certificate, self._expected):
            self._say_goodbye()
            self._fail("fingerprint_mismatch")
            return
        figures = _PROFILES.get(self._ssl.get_selected_srtp_profile())
        if figures is None:
            self._say_goodbye()
            self._fail("no_srtp_profile")
            return
        self._keys.set_result(self._exported(figures))
        self._read()

    def _exported(self, figures: _ProfileFigures) -> SrtpKeys:
        """RFC 5764, section 4.2: both keys, then both salts, the client's first."""
        key, salt = figures.key, figures.salt
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        salts = material[2 * key :]
        return SrtpKeys(
            figures.profile,
            receive=material[:key] + salts[:salt],
            send=material[key : 2 * key] + salts[salt:],
        )

    def _read(self) -> None:
        """Also what repeats our last flight when the peer asks for it by repeating its own."""
        while not self._ended:
            try:
                data = self._ssl.recv(_LARGEST_RECORD)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self._say_goodbye()
                self._end("closed_by_peer")
                return
            except SSL.Error:
                self._end("broken")
                return
            self._deliver(data)
        if not self._ended:
            self._flush()

    def _deliver(self, data: bytes) -> None:
        if self._on_data is not None:
            self._on_data(data)
        elif len(self._early) < _EARLY_MESSAGES:
            self._early.append(data)
        else:
            self.drops["dtls_early_data"] += 1

    def _flush(self, *, keep: bool = False) -> bool:
        """Sends what OpenSSL has to say, if anything; a flight to be repeated is kept."""
        try:
            said = self._ssl.bio_read(2**16)
        except SSL.WantReadError:
            return False
        flight = tuple(dtlsrecords.datagrams(said, LARGEST_DATAGRAM))
        if keep:
            self._flight, self._flight_at = flight, self._loop.time()
        for datagram in flight:
            self._send(datagram)
        return True

    def _arm(self) -> None:
        """OpenSSL doubles its time-out with each repetition, so an unreachable peer is sent to ever more rarely."""
        self._disarm()
        remaining = self._ssl.DTLSv1_get_timeout()
        if remaining is not None:
            self._timer = self._loop.call_later(max(remaining, _REPEAT_AFTER), self._time_out)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self._timer = None
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error:
            self._fail("handshake_failed")
            return
        self._flush(keep=True)
        self._arm()

    def _say_goodbye(self) -> None:
        try:
            self._ssl.shutdown()
        except SSL.Error:
            return  # nothing more can be said on this connection
        self._flush()

    def _fail(self, code: str) -> None:
        if not self._keys.done():
            self._keys.set_exception(DtlsFailed(code))
            self._keys.exception()  # nobody may be waiting; then it is no error of the loop's
        self._end(code)

    def _end(self, why: str) -> None:
        if self._ended:
            return
        self._ended = True
        self._disarm()
        if not self._keys.done():
            self._keys.set_exception(DtlsFailed("closed"))
            self._keys.exception()
        self._early.clear()
        if self._on_closed is not None:
            self._on_closed(why)

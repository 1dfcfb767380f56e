"""Records of DTLS 1.2 (RFC 6347): is a datagram worth OpenSSL's time, and how its output is cut into datagrams. Pure.

OpenSSL ends a handshake for good over a message that it cannot read, and what arrives before the keys are there may
come from anybody on the path. So records whose frame is wrong are left out before it sees them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

RECORD_HEADER: Final = 13
HANDSHAKE: Final = 22
_CONTENT_TYPES: Final = frozenset({20, 21, HANDSHAKE, 23})
# DTLS 1.0 stands in the first ClientHello of some stacks; 1.2 in everything else.
_VERSIONS: Final = frozenset({0xFEFF, 0xFEFD})
# RFC 6347, section 4.1: plaintext may grow by 2048 bytes when encrypted.
_LONGEST_RECORD: Final = 2**14 + 2048
# Of one handshake message: certificates of browsers have some hundred bytes.
_LONGEST_MESSAGE: Final = 2**14
# What a client may say before its keys: ClientHello, Certificate, ClientKeyExchange, CertificateVerify.
_CLIENT_HELLO: Final = 1
_CLIENT_MESSAGES: Final = frozenset({_CLIENT_HELLO, 11, 16, 15})
_MESSAGE_HEADER: Final = 12


def is_wellformed(datagram: bytes) -> bool:
    """Whole records of kinds that there are; and, where they can be read, handshake messages that a client sends."""
    at = 0
    while at < len(datagram):
        if len(datagram) - at < RECORD_HEADER:
            return False
        content, version, epoch = struct.unpack_from("!BHH", datagram, at)
        (length,) = struct.unpack_from("!H", datagram, at + 11)
        end = at + RECORD_HEADER + length
        if content not in _CONTENT_TYPES or version not in _VERSIONS or length > _LONGEST_RECORD:
            return False
        if length == 0 or end > len(datagram):
            return False
        if content == HANDSHAKE and epoch == 0 and not _are_messages(datagram, at + RECORD_HEADER, end):
            return False
        at = end
    return bool(datagram)


def _are_messages(datagram: bytes, at: int, end: int) -> bool:
    """Fragments of messages fill the record exactly (RFC 6347, section 4.2.2)."""
    while at < end:
        if end - at < _MESSAGE_HEADER:
            return False
        kind = datagram[at]
        length = int.from_bytes(datagram[at + 1 : at + 4], "big")
        offset = int.from_bytes(datagram[at + 6 : at + 9], "big")
        fragment = int.from_bytes(datagram[at + 9 : at + 12], "big")
        at += _MESSAGE_HEADER + fragment
        if kind not in _CLIENT_MESSAGES or length > _LONGEST_MESSAGE or offset + fragment > length or at > end:
            return False
    return True


def is_client_hello(datagram: bytes) -> bool:
    """Of a well-formed one."""
    return datagram[0] == HANDSHAKE and datagram[3:5] == b"\0\0" and datagram[RECORD_HEADER] == _CLIENT_HELLO


def datagrams(records: bytes, most: int) -> Iterator[bytes]:
    """OpenSSL's output as datagrams of at most ``most`` bytes: as many whole records in each as fit."""
    start = at = 0
    while at < len(records):
        (length,) = struct.unpack_from("!H", records, at + 11)
        end = at + RECORD_HEADER + length
        if end - start > most and at > start:
            yield records[start:at]
            start = at
        at = end
    if start < len(records):
        yield records[start:]

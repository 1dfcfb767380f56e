"""Which SCTP packets (RFC 9260) of a participant are fit for aiortc's association. Pure.

The association trusts its peer: a parameter of length zero keeps its parser in a loop for ever, and an acknowledgement
of gaps that nobody made costs it seconds. Whoever is in a room can send both, so they are looked at before.
"""

from __future__ import annotations

import struct
from typing import Final

_COMMON_HEADER: Final = 12
_CHUNK_HEADER: Final = 4
_PARAMETER_HEADER: Final = 4

_DATA, _INIT, _INIT_ACK, _SACK = 0, 1, 2, 3
_FORWARD_TSN: Final = 192
# Where in the chunk's value parameters begin: INIT, INIT ACK, HEARTBEAT and its answer, ABORT, ERROR, RE-CONFIG.
_PARAMETERS_AT: Final = {_INIT: 16, _INIT_ACK: 16, 4: 0, 5: 0, 6: 0, 9: 0, 130: 0}
_LEAST_VALUE: Final = {_DATA: 13, _INIT: 16, _INIT_ACK: 16, _SACK: 12, _FORWARD_TSN: 4}
# Far more than a packet of ours has in flight; what lies beyond was never sent.
FARTHEST_GAP: Final = 4096
# Ours is one channel of each label; browsers count streams in twos.
MOST_STREAMS: Final = 16


def refusal(packet: bytes) -> str | None:
    """Why it is not to be passed on: a stable word, or None."""
    if len(packet) < _COMMON_HEADER + _CHUNK_HEADER:
        return "sctp_short"
    at = _COMMON_HEADER
    while at < len(packet):
        if len(packet) - at < _CHUNK_HEADER:
            return "sctp_chunk"
        kind, _, length = struct.unpack_from("!BBH", packet, at)
        if length < _CHUNK_HEADER or at + length > len(packet):
            return "sctp_chunk"
        reason = _chunk_refusal(kind, packet[at + _CHUNK_HEADER : at + length])
        if reason is not None:
            return reason
        at += _padded(length)
    return None


def _chunk_refusal(kind: int, value: bytes) -> str | None:
    if len(value) < _LEAST_VALUE.get(kind, 0):
        return "sctp_chunk"
    if kind in _PARAMETERS_AT:
        return None if _are_parameters(value, _PARAMETERS_AT[kind]) else "sctp_parameter"
    if kind == _SACK:
        return None if _is_acknowledgement(value) else "sctp_acknowledgement"
    if kind == _DATA:
        return None if struct.unpack_from("!H", value, 4)[0] < MOST_STREAMS else "sctp_stream"
    if kind == _FORWARD_TSN:
        return _skip_refusal(value)
    return None


def _are_parameters(value: bytes, at: int) -> bool:
    while at < len(value):
        if len(value) - at < _PARAMETER_HEADER:
            return False
        (length,) = struct.unpack_from("!H", value, at + 2)
        if length < _PARAMETER_HEADER or at + length > len(value):
            return False
        at += _padded(length)
    return True


def _is_acknowledgement(value: bytes) -> bool:
    """Gaps follow each other and end within what could be in flight (RFC 9260, section 3.3.4)."""
    gaps, duplicates = struct.unpack_from("!HH", value, 8)
    if len(value) != 12 + 4 * (gaps + duplicates):
        return False
    before = 0
    for number in range(gaps):
        start, end = struct.unpack_from("!HH", value, 12 + 4 * number)
        if not before < start <= end <= FARTHEST_GAP:
            return False
        before = end
    return True


def _skip_refusal(value: bytes) -> str | None:
    """RFC 3758, section 3.2."""
    if len(value) % 4:
        return "sctp_chunk"
    streams = (struct.unpack_from("!H", value, at)[0] for at in range(4, len(value), 4))
    return None if all(stream < MOST_STREAMS for stream in streams) else "sctp_stream"


def _padded(length: int) -> int:
    return -(-length // 4) * 4

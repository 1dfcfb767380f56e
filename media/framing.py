"""Datagrams on a stream: two bytes of length before each (RFC 4571), as ICE over TCP has them (RFC 6544 section 3)."""

from __future__ import annotations

from media.errors import BadPacket

_PREFIX_BYTES = 2
# What a datagram over UDP could have on an Ethernet; nothing that a browser sends is longer.
MAX_FRAME_BYTES = 1500


def framed(datagram: bytes | memoryview) -> bytes:
    if len(datagram) > 0xFFFF:
        raise ValueError("a frame has at most 65535 bytes")
    return len(datagram).to_bytes(_PREFIX_BYTES, "big") + datagram


class Deframer:
    """Takes a stream as it is read. It holds less than one frame, whatever comes."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self._rest = b""
        self._is_broken = False

    @property
    def held_bytes(self) -> int:
        return len(self._rest)

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """The datagrams that are complete. Raises BadPacket ``tcp_frame_long``: where the next one begins can no longer
        be told, so the connection is of no more use. An empty frame is nobody's datagram and is left out."""
        if self._is_broken:
            raise BadPacket("tcp_frame_long")
        view = memoryview(self._rest + data if self._rest else data)
        frames: list[bytes] = []
        at = 0
        while len(view) - at >= _PREFIX_BYTES:
            length = int.from_bytes(view[at : at + _PREFIX_BYTES], "big")
            if length > self._max:
                self._is_broken = True
                self._rest = b""
                raise BadPacket("tcp_frame_long")
            end = at + _PREFIX_BYTES + length
            if end > len(view):
                break
            if length:
                frames.append(bytes(view[at + _PREFIX_BYTES : end]))
            at = end
        self._rest = bytes(view[at:])
        return frames

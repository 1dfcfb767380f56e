"""Bits of network bytes, most significant first. Bounded by the bytes given: reading beyond them is a BadPacket."""

from __future__ import annotations

from media.errors import BadPacket


class BitReader:
    __slots__ = ("_reason", "_total", "_value", "at")

    def __init__(self, data: bytes | bytearray | memoryview, *, truncated: str) -> None:
        """``truncated`` is the reason of the BadPacket."""
        self._value = int.from_bytes(data, "big")
        self._total = 8 * len(data)
        self._reason = truncated
        self.at = 0

    def read(self, bits: int) -> int:
        end = self.at + bits
        if end > self._total:
            raise BadPacket(self._reason)
        self.at = end
        return self._value >> (self._total - end) & ((1 << bits) - 1)

    def flag(self) -> bool:
        return self.read(1) == 1

    def read_non_symmetric(self, values: int) -> int:
        """One of ``values``, the first of them in a bit less (AV1 specification section 4.10.7)."""
        width = values.bit_length()
        short = (1 << width) - values
        value = self.read(width - 1)
        return value if value < short else (value << 1) - short + self.read(1)


class BitWriter:
    __slots__ = ("_bits", "_value")

    def __init__(self) -> None:
        self._value = 0
        self._bits = 0

    def write(self, value: int, bits: int) -> None:
        self._value = self._value << bits | value & ((1 << bits) - 1)
        self._bits += bits

    def write_non_symmetric(self, value: int, values: int) -> None:
        width = values.bit_length()
        short = (1 << width) - values
        if value < short:
            self.write(value, width - 1)
        else:
            self.write(value + short, width)

    def to_bytes(self, *, size: int = 0) -> bytes:
        """Zeros fill the last byte, and further ones up to ``size``."""
        length = (self._bits + 7) // 8
        return (self._value << (8 * length - self._bits)).to_bytes(length, "big").ljust(size, b"\0")

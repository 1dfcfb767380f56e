"""Frames of ours, as bytes. Types are names of ours: they need no escaping."""

from __future__ import annotations

from typing import Final

import msgspec

_encoder: Final = msgspec.json.Encoder()


def numbered(kind: str, number: int, data: bytes) -> bytes:
    """What the server says by itself; ``data`` is JSON already."""
    return b'{"type":"%s","seq":%d,"data":%s}' % (kind.encode(), number, data)


def answering(kind: str, request: str | None, data: object) -> bytes:
    """To the request of that id; None for what answers none of them."""
    identified = b"" if request is None else b'"id":%s,' % _encoder.encode(request)
    return b'{"type":"%s",%s"data":%s}' % (kind.encode(), identified, _encoder.encode(data))

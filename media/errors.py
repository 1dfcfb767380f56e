"""What a parser of network bytes says of bytes that are not what they should be."""

from __future__ import annotations


class BadPacket(ValueError):
    """``reason`` is a stable word, the label of the counter of what was dropped; there is a bounded number of them."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

"""Names in Redis: ``prefix:kind:name``, with the hash tag of a cluster where a script uses several keys."""

from __future__ import annotations

import math


class Keys:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def one(self, kind: str, name: str) -> str:
        return f"{self._prefix}:{kind}:{name}"

    def tagged(self, kind: str, name: str) -> str:
        """Keys of one name in several kinds hash alike: on the name, whatever braces are in it."""
        if "}" in name or "%" in name:
            name = name.replace("%", "%25").replace("}", "%7D")
        return f"{self._prefix}:{kind}:{{{name}}}"


def milliseconds(seconds: float) -> int:
    """Rounded up: something kept for a moment is kept, and Redis refuses a life of zero."""
    return math.ceil(seconds * 1000)

"""Where the local store keeps which key, and how it finds all of them again."""

from __future__ import annotations

import hashlib
import heapq
import os
from collections.abc import Iterator
from pathlib import Path

from adapters.objects.keys import checked_key

SHARDS = 256

# A file name holds 255 bytes; a longer key continues in directories whose names end in "+", which no key contains.
_NAME = 200
_SEPARATOR = ","


class Shelves:
    """A shard by the key's hash keeps directories small; in it, the file is named after the key."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def shard(self, key: str) -> Path:
        """Every path begins here, so no key that could leave the root ever becomes one."""
        checked_key(key)
        return self.root / hashlib.sha256(key.encode()).hexdigest()[:2]

    def path(self, key: str) -> Path:
        shard, name = self.shard(key), key.replace("/", _SEPARATOR)
        *folders, last = (name[at : at + _NAME] for at in range(0, len(name), _NAME))
        return shard.joinpath(*(folder + "+" for folder in folders), last)

    def keys(self, prefix: str, after: str, limit: int) -> list[str]:
        """Reads every file name (a second or so for a million): right for one machine's disk, not for paging fast."""
        wanted = (key for key in self._all() if key.startswith(prefix) and key > after)
        return heapq.nsmallest(limit, wanted)

    def _all(self) -> Iterator[str]:
        for number in range(SHARDS):
            for name in _names(self.root / f"{number:02x}", ""):
                yield name.replace(_SEPARATOR, "/")


def _names(directory: Path, begun: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith("+"):
                yield from _names(directory / entry.name, begun + entry.name[:-1])
            else:
                yield begun + entry.name

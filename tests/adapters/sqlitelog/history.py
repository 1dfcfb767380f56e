"""What a writer was told, and whether the log agrees with it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from kernel.messagelog import MAX_READ, LogEntry, MessageLog


def body_of(key: str, version: int) -> bytes:
    """Every body follows from its key and version, so that a reader can tell a torn one."""
    seed = hashlib.sha256(f"{key} {version}".encode()).digest()
    return seed * (1 + seed[0] % 64)


@dataclass
class Acknowledged:
    """Of one conversation: ids in the order in which they were acknowledged, and the versions they had reached."""

    ids: list[uuid.UUID] = field(default_factory=list)
    versions: dict[uuid.UUID, int] = field(default_factory=dict)


def read_reports(lines: Iterable[str]) -> dict[uuid.UUID, Acknowledged]:
    """Lines of ``conversation id version``; one cut off by a kill is no acknowledgement."""
    told: dict[uuid.UUID, Acknowledged] = {}
    for line in lines:
        if not line.endswith("\n"):
            continue
        conversation, identifier, version = line.split()
        of = told.setdefault(uuid.UUID(conversation), Acknowledged())
        if version == "1":
            of.ids.append(uuid.UUID(identifier))
        of.versions[uuid.UUID(identifier)] = int(version)
    return told


async def whole_history(log: MessageLog, conversation: uuid.UUID) -> list[LogEntry]:
    entries: list[LogEntry] = []
    while page := await log.after(conversation, entries[-1].id if entries else None, limit=MAX_READ):
        entries += page
    return entries


async def check(log: MessageLog, conversation: uuid.UUID, told: Acknowledged, *, unacknowledged: int) -> None:
    """Everything acknowledged is there, whole and in order; at most ``unacknowledged`` entries are there besides."""
    stored = await whole_history(log, conversation)
    by_id = {entry.id: entry for entry in stored}
    assert len(by_id) == len(stored), "an entry twice"
    assert len({entry.key for entry in stored}) == len(stored), "a key twice"
    missing = [identifier for identifier in told.ids if identifier not in by_id]
    assert not missing, f"{len(missing)} acknowledged entries are gone"
    assert [entry.id for entry in stored if entry.id in told.versions] == told.ids, "out of order"
    for entry in stored:
        assert entry.body == body_of(entry.key, entry.version), "a torn entry"
        assert entry.version >= told.versions.get(entry.id, 1), "an acknowledged amendment is gone"
    assert len(stored) - len(told.ids) <= unacknowledged

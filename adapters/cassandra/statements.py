"""Every statement of the log, prepared once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

_CQL = {
    "claim": "INSERT INTO $keyspace.message_keys (conversation, key, id) VALUES (?, ?, ?) IF NOT EXISTS",
    "claim_words": "UPDATE $keyspace.message_keys USING TTL ? SET at = ?, body = ? WHERE conversation = ? AND key = ?",
    "renew_claim": "UPDATE $keyspace.message_keys USING TTL ? SET at = ?, body = ? WHERE conversation = ? AND key = ?"
    " IF id = ? AND at = ?",
    "drop_claim": "DELETE FROM $keyspace.message_keys WHERE conversation = ? AND key = ? IF id = ?",
    "index": "INSERT INTO $keyspace.message_buckets (conversation, bucket) VALUES (?, ?) USING TIMESTAMP ?",
    "unindex": "DELETE FROM $keyspace.message_buckets USING TIMESTAMP ? WHERE conversation = ? AND bucket = ?",
    "buckets_down": "SELECT bucket FROM $keyspace.message_buckets WHERE conversation = ? AND bucket <= ?"
    " ORDER BY bucket DESC LIMIT ?",
    "buckets_up": "SELECT bucket FROM $keyspace.message_buckets WHERE conversation = ? AND bucket >= ?"
    " ORDER BY bucket ASC LIMIT ?",
    "write": "INSERT INTO $keyspace.messages (conversation, bucket, id, key, at, body) VALUES (?, ?, ?, ?, ?, ?)"
    " USING TIMESTAMP ?",
    "amend": "UPDATE $keyspace.messages SET body = null, amended = ?, version = ?"
    " WHERE conversation = ? AND bucket = ? AND id = ? AND key = ? IF at = ? AND version = ?",
    "one": "SELECT id, key, at, body, version, amended FROM $keyspace.messages"
    " WHERE conversation = ? AND bucket = ? AND id = ?",
    "below": "SELECT id, key, at, body, version, amended FROM $keyspace.messages"
    " WHERE conversation = ? AND bucket = ? AND id < ? ORDER BY id DESC LIMIT ?",
    "above": "SELECT id, key, at, body, version, amended FROM $keyspace.messages"
    " WHERE conversation = ? AND bucket = ? AND id > ? ORDER BY id ASC LIMIT ?",
    "keys_between": "SELECT id, key, at FROM $keyspace.messages"
    " WHERE conversation = ? AND bucket = ? AND id > ? AND id < ? ORDER BY id ASC LIMIT ?",
    "erase_below": "DELETE FROM $keyspace.messages USING TIMESTAMP ? WHERE conversation = ? AND bucket = ? AND id < ?",
    "erase_bucket": "DELETE FROM $keyspace.messages USING TIMESTAMP ? WHERE conversation = ? AND bucket = ?",
}
# Done twice it would refuse itself the second time: its own first success looks like someone else's.
_ONCE_ONLY = frozenset({"amend"})


@dataclass(frozen=True, slots=True)
class Statements:
    claim: Any
    claim_words: Any
    renew_claim: Any
    drop_claim: Any
    index: Any
    unindex: Any
    buckets_down: Any
    buckets_up: Any
    write: Any
    amend: Any
    one: Any
    below: Any
    above: Any
    keys_between: Any
    erase_below: Any
    erase_bucket: Any


def prepare(session: Any, keyspace: str) -> Statements:
    """Blocks."""
    prepared = {}
    for field in fields(Statements):
        statement = prepared[field.name] = session.prepare(_CQL[field.name].replace("$keyspace", keyspace))
        statement.is_idempotent = field.name not in _ONCE_ONLY
    return Statements(**prepared)

"""Every statement of the log, prepared once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

_CQL = {
    "claim": "INSERT INTO message_keys (conversation, key, id) VALUES (?, ?, ?) IF NOT EXISTS",
    "claim_words": "UPDATE message_keys USING TTL ? SET at = ?, body = ? WHERE conversation = ? AND key = ?",
    "renew_claim": "UPDATE message_keys USING TTL ? SET at = ?, body = ? WHERE conversation = ? AND key = ?"
    " IF id = ? AND at = ?",
    "drop_claim": "DELETE FROM message_keys WHERE conversation = ? AND key = ? IF id = ?",
    "index": "INSERT INTO message_buckets (conversation, bucket) VALUES (?, ?) USING TIMESTAMP ?",
    "unindex": "DELETE FROM message_buckets USING TIMESTAMP ? WHERE conversation = ? AND bucket = ?",
    "buckets_down": "SELECT bucket FROM message_buckets WHERE conversation = ? AND bucket <= ?"
    " ORDER BY bucket DESC LIMIT ?",
    "buckets_up": "SELECT bucket FROM message_buckets WHERE conversation = ? AND bucket >= ?"
    " ORDER BY bucket ASC LIMIT ?",
    "write": "INSERT INTO messages (conversation, bucket, id, key, at, body) VALUES (?, ?, ?, ?, ?, ?)"
    " USING TIMESTAMP ?",
    "amend": "UPDATE messages SET body = null, amended = ?, version = ?"
    " WHERE conversation = ? AND bucket = ? AND id = ? AND key = ? IF at = ? AND version = ?",
    "one": "SELECT id, key, at, body, version, amended FROM messages WHERE conversation = ? AND bucket = ? AND id = ?",
    "below": "SELECT id, key, at, body, version, amended FROM messages"
    " WHERE conversation = ? AND bucket = ? AND id < ? ORDER BY id DESC LIMIT ?",
    "above": "SELECT id, key, at, body, version, amended FROM messages"
    " WHERE conversation = ? AND bucket = ? AND id > ? ORDER BY id ASC LIMIT ?",
    "keys_between": "SELECT id, key, at FROM messages"
    " WHERE conversation = ? AND bucket = ? AND id > ? AND id < ? ORDER BY id ASC LIMIT ?",
    "erase_below": "DELETE FROM messages USING TIMESTAMP ? WHERE conversation = ? AND bucket = ? AND id < ?",
    "erase_bucket": "DELETE FROM messages USING TIMESTAMP ? WHERE conversation = ? AND bucket = ?",
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


def prepare(session: Any) -> Statements:
    """Blocks. The session's keyspace must be the log's."""
    prepared = {}
    for field in fields(Statements):
        statement = prepared[field.name] = session.prepare(_CQL[field.name])
        statement.is_idempotent = field.name not in _ONCE_ONLY
    return Statements(**prepared)

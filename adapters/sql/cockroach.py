"""CockroachDB: PostgreSQL's protocol, always serializable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.sql.lane import Mode

OPTIONS: Mapping[Mode, Mapping[str, Any]] = {
    Mode.WRITE: {"isolation_level": "SERIALIZABLE"},
    Mode.QUEUE: {"isolation_level": "SERIALIZABLE"},
    Mode.READ: {"isolation_level": "SERIALIZABLE", "postgresql_readonly": True},
}

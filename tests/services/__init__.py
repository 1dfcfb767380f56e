"""The real servers the tests run against. tests/services/fixtures.py hands them out."""

from __future__ import annotations

# The fixtures that need something installed, in the order their tests run: the slowest to install come last.
# The SMTP sink is not among them: it is a Python process, and belongs to the fast tests too.
SERVICE_OF_FIXTURE = {
    "postgres": "postgres",
    "redis_server": "redis",
    "chromium": "chromium",
    "swift": "swift",
    "cassandra": "cassandra",
    "minio": "minio",
}
SERVICE_ORDER = tuple(SERVICE_OF_FIXTURE.values())

"""The time of day as everything here is told it."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from adapters.sql.metadata import Moment
from kernel.clock import SystemClock

NANOSECONDS = st.integers(1_500_000_000 * 10**9, 4_000_000_000 * 10**9)


@given(NANOSECONDS)
def test_what_is_answered_before_it_is_stored_is_what_is_read_afterwards(moment: int) -> None:
    with mock.patch("time.time_ns", return_value=moment):
        now = SystemClock().now()
    column, dialect = Moment(), SQLiteDialect()
    stored = column.process_bind_param(now, dialect)
    read = column.process_result_value(stored, dialect)
    assert stored == moment // 1000
    assert read == now
    assert datetime.fromtimestamp(read, UTC).microsecond == moment // 1000 % 1_000_000

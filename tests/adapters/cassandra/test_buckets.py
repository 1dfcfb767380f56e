"""Buckets of time, and what a node believes about their index."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cassandra.buckets import FIRST, LAST, MAX_KNOWN, STALE_AFTER, TRUSTED_FOR, Buckets, KnownBuckets
from kernel.ids import floor_at

SPANS = st.floats(min_value=0.001, max_value=400 * 86400)
MOMENTS = st.integers(0, (1 << 48) - 1)


@given(span=SPANS, moments=st.tuples(MOMENTS, MOMENTS))
def test_buckets_are_in_the_order_of_time_and_as_wide_as_configured(span: float, moments: tuple[int, int]) -> None:
    buckets = Buckets(span)
    earlier, later = sorted(moments)
    assert FIRST < buckets.of(floor_at(earlier)) <= buckets.of(floor_at(later)) < LAST
    if later - earlier > span * 1000:
        assert buckets.of(floor_at(earlier)) < buckets.of(floor_at(later))


@given(bound=st.uuids())
def test_any_uuid_lies_in_some_bucket(bound: uuid.UUID) -> None:
    assert FIRST < Buckets(86400).of(bound) < LAST


def test_a_bucket_shorter_than_a_millisecond_is_refused() -> None:
    with pytest.raises(ValueError, match=r"messages\.bucket"):
        Buckets(0.0001)


def test_an_index_row_is_trusted_for_half_the_time_after_which_it_may_be_removed() -> None:
    known, conversation = KnownBuckets(), uuid.uuid4()
    known.remember(conversation, 7, 1000.0)
    assert known.trusts(conversation, 7, 1000.0 + TRUSTED_FOR - 1)
    assert not known.trusts(conversation, 7, 1000.0 + TRUSTED_FOR)
    assert not known.trusts(conversation, 8, 1000.0)
    assert not known.trusts(uuid.uuid4(), 7, 1000.0)
    assert STALE_AFTER >= 2 * TRUSTED_FOR


def test_what_is_known_is_bounded_and_the_longest_unwritten_goes_first() -> None:
    known, conversation = KnownBuckets(), uuid.uuid4()
    for bucket in range(MAX_KNOWN):
        known.remember(conversation, bucket, 0.0)
    known.remember(conversation, 0, 1.0)
    known.remember(conversation, MAX_KNOWN, 1.0)
    assert len(known) == MAX_KNOWN
    assert known.trusts(conversation, 0, 2.0)
    assert not known.trusts(conversation, 1, 2.0)

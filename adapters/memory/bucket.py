"""Token bucket arithmetic. The Redis adapter does the same sums in Lua; a property test holds the two together."""

from __future__ import annotations

from kernel.ephemeral import Allowance

# A thousandth of a token forgives the rounding of times: at 1,000 tokens a second a double holding today's
# date in seconds is off by a quarter of that.
TOLERANCE = 0.001


def take(full_at: float, now: float, *, capacity: int, per_second: float, cost: int) -> tuple[float, Allowance]:
    """One number is the whole state of a bucket: when it will be full again. Answers the new one.

    A ``full_at`` in the past is a full bucket. One further away than an empty bucket can be (the clock was set
    back, the capacity made smaller) counts as empty.
    """
    debt = full_at - now
    if debt <= 0.0:
        debt = 0.0
    elif debt > capacity / per_second:
        debt = capacity / per_second
    tokens = capacity - debt * per_second
    if tokens + TOLERANCE < cost:
        wait = (cost - tokens) / per_second
        return now + debt, Allowance(False, int(tokens + TOLERANCE), wait, debt)
    debt += cost / per_second
    return now + debt, Allowance(True, int(tokens - cost + TOLERANCE), 0.0, debt)

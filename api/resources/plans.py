"""``/v1/users/me/plan``: what one may use."""

from __future__ import annotations

from datetime import UTC, datetime

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View
from api.people import People
from identity.plans import Entitlement


class LimitsView(View, frozen=True):
    rate_factor: int
    storage_bytes: int
    call_participants: int


class PlanView(View, frozen=True):
    """The period is that of a subscription; without one the free plan has none."""

    plan: str
    limits: LimitsView
    period_start: datetime | None
    period_end: datetime | None


def plan_view(found: Entitlement) -> PlanView:
    limits = found.limits
    return PlanView(
        plan=found.plan,
        limits=LimitsView(
            rate_factor=limits.rate_factor,
            storage_bytes=limits.storage_bytes,
            call_participants=limits.call_participants,
        ),
        period_start=_time(found.starts_at),
        period_end=_time(found.ends_at),
    )


def resource(people: People) -> Resource:
    async def my_plan(call: Call) -> PlanView:
        return plan_view(await people.plans.of(call.principal.account))

    return Resource(
        "plans",
        "What an account may use.",
        [
            Endpoint(
                method="GET",
                path="/v1/users/me/plan",
                handler=my_plan,
                access=Access.SIGNED_IN,
                limit="default",
                summary="One's plan and what it allows",
            ),
        ],
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

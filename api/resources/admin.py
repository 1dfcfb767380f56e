"""``/v1/admin``: accounts, plans, figures and the audit log, for admins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, ValidationError, convert

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.people import People
from api.resources.paging import Paging
from api.resources.plans import PlanView, plan_view
from identity.accounts import State
from identity.administration import ADMIN, Change, PeopleFilter
from identity.administration import Record as AccountRecord
from identity.audit import AuditEntry, AuditFilter
from identity.plans import Subscription
from kernel.clock import Clock
from kernel.errors import FieldError, Malformed, Unprocessable

# Periods within it can be told by every store and calendar.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

Time = Annotated[datetime, Meta(tz=True)]
PlanName = Annotated[str, Meta(min_length=1, max_length=64)]
Word = Annotated[str, Meta(min_length=1, max_length=128)]
# Text at first: as a time, a query parameter that is a number would be taken for one, too.
TimeText = Annotated[str, Meta(min_length=20, max_length=40, extra_json_schema={"format": "date-time"})]


class UserPath(Wire, frozen=True):
    id: UUID


class UsersQuery(Paging, frozen=True):
    """``q`` are beginnings of words of a username or a display name, or a whole e-mail address."""

    q: Annotated[str, Meta(min_length=1, max_length=254)] | None = None
    state: Literal["active", "disabled", "erasing"] | None = None
    role: Literal["user", "admin"] | None = None


class UserChange(Wire, frozen=True):
    """Fields that are left out stay as they are. ``roles`` are those the account has from then on; ``user`` every
    account is. ``plan`` begins now and is open-ended."""

    state: Literal["active", "disabled"] | None = None
    roles: Annotated[list[Literal["user", "admin"]], Meta(max_length=2)] | None = None
    plan: PlanName | None = None


class LimitsChange(Wire, frozen=True):
    """What replaces the limits of the plan."""

    rate_factor: Annotated[int, Meta(ge=1, le=1000)] | None = None
    storage_bytes: Annotated[int, Meta(ge=0, le=1 << 60)] | None = None
    call_participants: Annotated[int, Meta(ge=1, le=100_000)] | None = None

    def named(self) -> dict[str, int]:
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in found.items() if value is not None}


class NewPlan(Wire, frozen=True):
    """Without ``period_start`` it begins now, without ``period_end`` it is open-ended."""

    plan: PlanName
    limits: LimitsChange = LimitsChange()
    period_start: Time | None = None
    period_end: Time | None = None


class AuditQuery(Paging, frozen=True):
    """``since`` is included, ``until`` is not."""

    actor: Word | None = None
    action: Word | None = None
    subject: Word | None = None
    since: TimeText | None = None
    until: TimeText | None = None


class UserRecordView(View, frozen=True):
    """``sessions`` are those that are alive."""

    id: UUID
    username: str
    display_name: str
    email: str
    email_verified: bool
    two_factor_enabled: bool
    state: str
    roles: list[str]
    created_at: datetime
    sessions: int
    last_used_at: datetime | None
    plan: PlanView


class UserRecordsView(View, frozen=True):
    items: list[UserRecordView]
    next_cursor: str | None


class AuditEntryView(View, frozen=True):
    id: UUID
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, str]


class AuditView(View, frozen=True):
    items: list[AuditEntryView]
    next_cursor: str | None


class UserFigures(View, frozen=True):
    active: int
    disabled: int
    erasing: int
    admins: int
    joined_last_day: int


class FiguresView(View, frozen=True):
    users: UserFigures
    sessions: int
    api_keys: int


class Admin:
    def __init__(self, people: People, clock: Clock) -> None:
        self._administration = people.administration
        self._audit = people.audit
        self._clock = clock

    async def list_users(self, call: Call, query: UsersQuery) -> UserRecordsView:
        wanted = PeopleFilter(
            text=query.q,
            state=None if query.state is None else State(query.state),
            admins=None if query.role is None else query.role == ADMIN,
        )
        page = await self._administration.page(wanted, cursor=query.cursor, limit=query.limit)
        return UserRecordsView(items=[_record(item) for item in page.items], next_cursor=page.next_cursor)

    async def get_user(self, call: Call, path: UserPath) -> UserRecordView:
        return _record(await self._administration.get(path.id))

    async def change_user(self, call: Call, path: UserPath, body: UserChange) -> UserRecordView:
        change = Change(
            state=None if body.state is None else State(body.state),
            roles=None if body.roles is None else frozenset(body.roles) & {ADMIN},
            plan=body.plan,
        )
        return _record(await self._administration.change(path.id, change, actor=call.principal.id))

    async def set_plan(self, call: Call, path: UserPath, body: NewPlan) -> PlanView:
        starts_at = _seconds("period_start", body.period_start)
        subscription = Subscription(
            account=path.id,
            plan=body.plan,
            starts_at=self._clock.now() if starts_at is None else starts_at,
            ends_at=_seconds("period_end", body.period_end),
            limits=body.limits.named(),
        )
        return plan_view(await self._administration.subscribe(subscription, actor=call.principal.id))

    async def log_out_user(self, call: Call, path: UserPath) -> None:
        await self._administration.log_out(path.id, actor=call.principal.id)

    async def reset_second_factor(self, call: Call, path: UserPath) -> None:
        await self._administration.reset_second_factor(path.id, actor=call.principal.id)

    async def stats(self, call: Call) -> FiguresView:
        found = await self._administration.figures()
        return FiguresView(
            users=UserFigures(
                active=found.by_state.get(State.ACTIVE, 0),
                disabled=found.by_state.get(State.DISABLED, 0),
                erasing=found.by_state.get(State.ERASING, 0),
                admins=found.admins,
                joined_last_day=found.joined_last_day,
            ),
            sessions=found.sessions,
            api_keys=found.api_keys,
        )

    async def audit(self, call: Call, query: AuditQuery) -> AuditView:
        wanted = AuditFilter(
            actor=query.actor,
            action=query.action,
            subject=query.subject,
            since=_told("since", query.since),
            until=_told("until", query.until),
        )
        page = await self._audit.page(wanted, cursor=query.cursor, limit=query.limit)
        return AuditView(items=[_entry(item) for item in page.items], next_cursor=page.next_cursor)


def resource(people: People, clock: Clock) -> Resource:
    admin = Admin(people, clock)

    return Resource(
        "admin",
        "Accounts, plans, figures and the audit log, for admins. Whatever changes something is in the audit log.",
        [
            Endpoint(
                method="GET",
                path="/v1/admin/users",
                handler=admin.list_users,
                access=Access.ADMIN,
                scope="users:read",
                limit="default",
                summary="Accounts: newest first, or those that `q` finds",
                errors={400: ("bad_cursor",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/admin/users/{id}",
                handler=admin.get_user,
                access=Access.ADMIN,
                scope="users:read",
                limit="default",
                summary="One account",
            ),
            Endpoint(
                method="PATCH",
                path="/v1/admin/users/{id}",
                handler=admin.change_user,
                access=Access.ADMIN,
                limit="default",
                summary="Disable or enable an account, change its roles or its plan; who may less is signed out",
                errors={409: ("last_admin", "account_erasing"), 422: ("unknown_plan",)},
            ),
            Endpoint(
                method="PUT",
                path="/v1/admin/users/{id}/plan",
                handler=admin.set_plan,
                access=Access.ADMIN,
                limit="default",
                summary="Subscribe an account to a plan, with limits and a period of its own",
                errors={409: ("account_erasing",), 422: ("unknown_plan", "invalid_period")},
            ),
            Endpoint(
                method="POST",
                path="/v1/admin/users/{id}/logout",
                handler=admin.log_out_user,
                access=Access.ADMIN,
                limit="default",
                summary="Sign an account out everywhere",
                status=204,
            ),
            Endpoint(
                method="POST",
                path="/v1/admin/users/{id}/reset-second-factor",
                handler=admin.reset_second_factor,
                access=Access.ADMIN,
                limit="default",
                summary="Let an account in without its second factor; its address is told",
                status=204,
                errors={409: ("account_erasing",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/admin/stats",
                handler=admin.stats,
                access=Access.ADMIN,
                scope="users:read",
                limit="default",
                summary="How many there are of what",
            ),
            Endpoint(
                method="GET",
                path="/v1/admin/audit",
                handler=admin.audit,
                access=Access.ADMIN,
                scope="audit:read",
                limit="default",
                summary="Who did what to whom, newest first",
                errors={400: ("bad_cursor",)},
            ),
        ],
    )


def _record(found: AccountRecord) -> UserRecordView:
    account, presence = found.account, found.presence
    return UserRecordView(
        id=account.id,
        username=account.username,
        display_name=account.display_name,
        email=account.email,
        email_verified=account.email_verified_at is not None,
        two_factor_enabled=found.two_factor_enabled,
        state=account.state.value,
        roles=sorted(account.roles) or ["user"],
        created_at=_time(account.created_at),
        sessions=0 if presence is None else presence.sessions,
        last_used_at=None if presence is None else _time(presence.used_at),
        plan=plan_view(found.plan),
    )


def _entry(entry: AuditEntry) -> AuditEntryView:
    return AuditEntryView(
        id=entry.id,
        at=_time(entry.at),
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        details=dict(entry.details),
    )


def _seconds(field: str, moment: datetime | None) -> float | None:
    if moment is not None and not EARLIEST <= moment < LATEST:
        message = f"is from {EARLIEST.year} to before {LATEST.year}"
        raise Unprocessable(f"A plan's period {message}.", code="invalid_period", fields=[FieldError(field, message)])
    return None if moment is None else moment.timestamp()


def _told(field: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return convert(text, Time).timestamp()
    except ValidationError:
        message = "is a time such as 2026-01-31T12:00:00Z"
        raise Malformed(f"`{field}` {message}.", code="invalid_query", fields=[FieldError(field, message)]) from None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

"""``/v1/users/me/export`` and the end of an account: what data protection law gives to people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from api.datarights import DataRights
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.resources.paging import Paging
from identity.erasure import Erasure
from identity.exports import Export, State
from identity.passwords import MAX_LENGTH
from kernel.objects import SignedUrl


class ExportView(View, frozen=True):
    """``url`` is good for an hour, ask again for another; the archive is there until ``expires_at``."""

    state: Literal["running", "ready", "failed"]
    requested_at: datetime
    url: str | None = None
    expires_at: datetime | None = None


class Farewell(Wire, frozen=True):
    """``totp`` or ``recovery_code`` where the account has a second factor."""

    password: Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]
    totp: Annotated[str, Meta(max_length=16)] | None = None
    recovery_code: Annotated[str, Meta(max_length=64)] | None = None


class ErasureView(View, frozen=True):
    """The report: ``erased`` counts rows and things by what they were. It names nobody; ``pseudonym`` stands where the
    account stood in the audit log."""

    id: UUID
    state: Literal["running", "finished"]
    pseudonym: str
    requested_at: datetime
    finished_at: datetime | None
    erased: Mapping[str, int]


class ErasuresView(View, frozen=True):
    items: list[ErasureView]
    next_cursor: str | None


class ErasuresQuery(Paging, frozen=True):
    """``pseudonym`` as the audit log has it."""

    pseudonym: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class ErasurePath(Wire, frozen=True):
    id: UUID


class DataRightsCalls:
    def __init__(self, rights: DataRights) -> None:
        self._exports = rights.exports
        self._erasing = rights.erasing

    async def ask_for_export(self, call: Call) -> ExportView:
        return _export(await self._exports.ask(call.principal.account), None)

    async def export(self, call: Call) -> ExportView:
        return _export(*await self._exports.status(call.principal.account))

    async def erase_me(self, call: Call, body: Farewell) -> ErasureView:
        erasure = await self._erasing.erase_oneself(
            call.principal.account,
            password=body.password,
            totp=body.totp,
            recovery_code=body.recovery_code,
            address=call.context.address,
        )
        return _erasure(erasure)

    async def erase(self, call: Call, path: ErasurePath) -> ErasureView:
        return _erasure(await self._erasing.begin(path.id, asked_by=call.principal.id))

    async def erasures(self, call: Call, query: ErasuresQuery) -> ErasuresView:
        page = await self._erasing.reports(query.pseudonym, cursor=query.cursor, limit=query.limit)
        return ErasuresView(items=[_erasure(item) for item in page.items], next_cursor=page.next_cursor)

    async def erasure(self, call: Call, path: ErasurePath) -> ErasureView:
        return _erasure(await self._erasing.report(path.id))


def resource(rights: DataRights) -> Resource:
    calls = DataRightsCalls(rights)
    return Resource(
        "data-rights",
        "Everything that is known about somebody, to take away or to have erased. Both are jobs that survive restarts.",
        [
            Endpoint(
                method="POST",
                path="/v1/users/me/export",
                handler=calls.ask_for_export,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Collect everything about oneself into one archive, once a day",
                status=202,
                errors={429: ("one_export_a_day",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/users/me/export",
                handler=calls.export,
                access=Access.SIGNED_IN,
                limit="default",
                summary="How the latest archive stands, and where to fetch it",
                errors={404: ("no_export",)},
            ),
            Endpoint(
                method="DELETE",
                path="/v1/users/me",
                handler=calls.erase_me,
                access=Access.SIGNED_IN,
                limit="password",
                summary="Erase one's account and all that names it; every session ends at once",
                status=202,
                errors={
                    403: ("wrong_password", "second_factor_required", "invalid_second_factor"),
                    409: ("last_admin",),
                    429: ("locked_out",),
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/admin/users/{id}/erase",
                handler=calls.erase,
                access=Access.ADMIN,
                # Whoever has got hold of an admin's session erases few before somebody notices.
                limit="password",
                summary="Erase somebody's account and all that names it",
                status=202,
                errors={404: ("not_found",), 409: ("last_admin",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/admin/erasures",
                handler=calls.erasures,
                access=Access.ADMIN,
                limit="default",
                summary="Reports of erasures, newest first",
                errors={400: ("bad_cursor",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/admin/erasures/{id}",
                handler=calls.erasure,
                access=Access.ADMIN,
                limit="default",
                summary="The report of an erasure",
                errors={404: ("not_found",)},
            ),
        ],
    )


def _export(export: Export, url: SignedUrl | None) -> ExportView:
    return ExportView(
        state=_STATES[export.state],
        requested_at=_time(export.requested_at),
        url=None if url is None else url.url,
        expires_at=None if export.expires_at is None else _time(export.expires_at),
    )


_STATES: Mapping[State, Literal["running", "ready", "failed"]] = {
    State.RUNNING: "running",
    State.READY: "ready",
    State.FAILED: "failed",
}


def _erasure(erasure: Erasure) -> ErasureView:
    return ErasureView(
        id=erasure.id,
        state="running" if erasure.finished_at is None else "finished",
        pseudonym=erasure.pseudonym,
        requested_at=_time(erasure.requested_at),
        finished_at=None if erasure.finished_at is None else _time(erasure.finished_at),
        erased=erasure.counts,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

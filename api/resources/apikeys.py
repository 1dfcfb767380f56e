"""``/v1/admin/api-keys``: the keys by which programs of integrators sign in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.people import People
from identity.apikeys import DEFAULT_RATE, SCOPES, ListedKey
from kernel.cursors import MAX_CURSOR_LENGTH

# A time beyond it is a slip of the pen; it also keeps within what every store and calendar can say.
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class NewKey(Wire, frozen=True):
    """``rate`` is in requests a minute; without ``expires_at`` it is good until it is deleted."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    scopes: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=len(SCOPES))]
    rate: Annotated[int, Meta(ge=1, le=1_000_000)] = DEFAULT_RATE
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class KeyView(View, frozen=True):
    """``made_by`` is an account, ``console``, or a pseudonym for somebody who was erased; ``made_by_admin`` is false
    when they may not make keys any more. The key works all the same."""

    id: UUID
    name: str
    scopes: list[str]
    rate: int
    made_by: str
    made_by_admin: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewKeyView(KeyView, frozen=True):
    """``token`` is shown here and never again."""

    token: str


class KeysView(View, frozen=True):
    items: list[KeyView]
    next_cursor: str | None


class KeysQuery(Wire, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(max_length=MAX_CURSOR_LENGTH)] | None = None


class KeyPath(Wire, frozen=True):
    id: UUID


class Keys:
    def __init__(self, people: People) -> None:
        self._keys = people.api_keys

    async def create_key(self, call: Call, body: NewKey) -> NewKeyView:
        expires_at = None if body.expires_at is None else min(body.expires_at, LATEST).timestamp()
        key, token = await self._keys.make(
            actor=call.principal.id, name=body.name, scopes=body.scopes, rate=body.rate, expires_at=expires_at
        )
        return NewKeyView(**_fields(ListedKey(key, made_by_admin=True)), token=token)

    async def list_keys(self, call: Call, query: KeysQuery) -> KeysView:
        page = await self._keys.page(cursor=query.cursor, limit=query.limit)
        return KeysView(items=[KeyView(**_fields(key)) for key in page.items], next_cursor=page.next_cursor)

    async def get_key(self, call: Call, path: KeyPath) -> KeyView:
        return KeyView(**_fields(await self._keys.get(path.id)))

    async def delete_key(self, call: Call, path: KeyPath) -> None:
        await self._keys.remove(actor=call.principal.id, key=path.id)


def resource(people: People) -> Resource:
    keys = Keys(people)
    scopes = "; ".join(f"`{name}`: {text[0].lower()}{text[1:]}" for name, text in SCOPES.items())

    return Resource(
        "api-keys",
        f"Keys of integrators: `Authorization: Bearer sck_...`. A key does what its scopes name. {scopes}.",
        [
            Endpoint(
                method="POST",
                path="/v1/admin/api-keys",
                handler=keys.create_key,
                access=Access.ADMIN,
                limit="default",
                summary="Make a key; its token is shown this once",
                status=201,
                errors={422: ("invalid_name", "unknown_scope", "invalid_expiry")},
            ),
            Endpoint(
                method="GET",
                path="/v1/admin/api-keys",
                handler=keys.list_keys,
                access=Access.ADMIN,
                limit="default",
                summary="The keys there are, newest first",
                errors={400: ("bad_cursor",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/admin/api-keys/{id}",
                handler=keys.get_key,
                access=Access.ADMIN,
                limit="default",
                summary="One key",
                errors={404: ("not_found",)},
            ),
            Endpoint(
                method="DELETE",
                path="/v1/admin/api-keys/{id}",
                handler=keys.delete_key,
                access=Access.ADMIN,
                limit="default",
                summary="End a key at once",
                status=204,
                errors={404: ("not_found",)},
            ),
        ],
    )


def _fields(found: ListedKey) -> dict[str, Any]:
    key = found.key
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "rate": key.rate,
        "made_by": key.made_by,
        "made_by_admin": found.made_by_admin,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "last_used_at": _time(key.last_used_at),
    }


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

"""Who may call an endpoint. Every endpoint names its rule; there is no default."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol
from uuid import UUID

import msgspec

from kernel.errors import Forbidden, Unauthenticated


class Principal(msgspec.Struct, frozen=True):
    """Whoever a request was made by: ``kind`` is ``user``, ``service`` or ``operator``; a user has a ``session``, and
    a service the ``scopes`` of its key. A user's plan multiplies rate limits by ``rate_factor``; a service has a
    ``rate`` of its own instead, in requests a minute."""

    id: str
    kind: str
    roles: frozenset[str] = frozenset()
    session: UUID | None = None
    scopes: frozenset[str] = frozenset()
    rate_factor: int = 1
    rate: int | None = None

    @property
    def account(self) -> UUID:
        """Of a user."""
        return UUID(self.id)


class Access(Enum):
    """The rules there are. Their order is that of the reference, not of power."""

    PUBLIC = "public"
    SIGNED_URL = "signed_url"
    ROOM_TOKEN = "room_token"  # noqa: S105 - a name
    OPERATOR = "operator"
    SIGNED_IN = "signed_in"
    ADMIN = "admin"


# Rules that need no principal.
OPEN = frozenset({Access.PUBLIC, Access.SIGNED_URL, Access.ROOM_TOKEN})


class Authenticator(Protocol):
    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        """None without credentials; Unauthenticated for credentials that are no good."""
        ...


def permit(rule: Access, principal: Principal | None, scope: str | None = None) -> None:
    """Raises unless ``principal`` satisfies ``rule``. A signed URL and a room token prove themselves in their resource.
    A service is let in by ``scope`` and by nothing else: without one an endpoint is for people."""
    if rule in OPEN:
        return
    if principal is None:
        raise Unauthenticated("This needs an access token in the Authorization header.")
    if principal.kind == "service":
        _permit_service(scope, principal)
        return
    if "admin" in principal.roles:
        return
    if rule is Access.ADMIN:
        raise Forbidden("This needs the role admin.")
    if rule is Access.OPERATOR and principal.kind != "operator":
        raise Forbidden("This is for operators: a program on this machine, or one with the metrics token.")
    if rule is Access.SIGNED_IN and principal.kind == "operator":
        raise Forbidden("This needs an account; the metrics token belongs to none.")


def _permit_service(scope: str | None, principal: Principal) -> None:
    if scope is None:
        raise Forbidden("This needs an account; an API key belongs to none.")
    if scope not in principal.scopes:
        raise Forbidden(f"This API key lacks the scope {scope}.", code="insufficient_scope")

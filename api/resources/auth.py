"""``/v1/auth``: making an account, signing in and out, and the sessions one has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.rates import RateLimiter
from api.http.wire import View, Wire
from api.people import People
from api.resources.paging import Paging
from api.resources.users import OwnView, own, own_view
from identity.accounts import Account
from identity.login import Credentials, folded
from identity.names import MAX_EMAIL, MAX_USERNAME
from identity.passwords import MAX_LENGTH
from identity.sessions import Session, TokenPair
from identity.tickets import LIFETIME_SECONDS, Ticket
from kernel.errors import Forbidden

Email = Annotated[str, Meta(min_length=3, max_length=MAX_EMAIL)]
Password = Annotated[str, Meta(min_length=1, max_length=MAX_LENGTH)]
Secret = Annotated[str, Meta(min_length=1, max_length=200)]


class Registration(Wire, frozen=True):
    email: Email
    username: Annotated[str, Meta(min_length=1, max_length=4 * MAX_USERNAME)]
    password: Password
    display_name: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class SigningIn(Wire, frozen=True):
    email: Email
    password: Password
    totp: Annotated[str, Meta(max_length=16)] | None = None
    recovery_code: Annotated[str, Meta(max_length=64)] | None = None


class Refreshing(Wire, frozen=True):
    refresh_token: Secret


class Proof(Wire, frozen=True):
    """The secret of a mailed link."""

    token: Secret


class TokensView(View, frozen=True):
    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str
    user: OwnView


class SessionView(View, frozen=True):
    id: UUID
    client: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class SessionsView(View, frozen=True):
    items: list[SessionView]
    next_cursor: str | None = None


class TicketView(View, frozen=True):
    ticket: str
    expires_in: int


class SessionPath(Wire, frozen=True):
    id: UUID


class Auth:
    def __init__(self, people: People, rates: RateLimiter, *, registration: bool) -> None:
        self._people = people
        self._rates = rates
        self._registration = registration

    async def register(self, call: Call, body: Registration) -> OwnView:
        if not self._registration:
            raise Forbidden("Accounts are made by an administrator here.", code="registration_closed")
        account = await self._people.accounts.register(
            email=body.email, username=body.username, password=body.password, display_name=body.display_name
        )
        return own_view(account, two_factor_enabled=False)

    async def login(self, call: Call, body: SigningIn) -> TokensView:
        await self._rates.admit_account("login", folded(body.email), call.context)
        credentials = Credentials(body.email, body.password, body.totp, body.recovery_code)
        account, pair = await self._people.login.sign_in(
            credentials, address=call.context.address, client=call.request.headers.get("User-Agent", "")
        )
        return await self._tokens(account, pair)

    async def refresh(self, call: Call, body: Refreshing) -> TokensView:
        return await self._tokens(*await self._people.sessions.refresh(body.refresh_token))

    async def logout(self, call: Call) -> None:
        session = call.principal.session
        if session is not None:
            await self._people.sessions.end_all(call.principal.account, [session])

    async def verify_email(self, call: Call, body: Proof) -> OwnView:
        return await own(self._people, await self._people.accounts.verify_email(body.token))

    async def resend_verification(self, call: Call) -> None:
        await self._people.accounts.resend_verification(call.principal.account)

    async def profile(self, call: Call) -> OwnView:
        return await own(self._people, await self._people.accounts.get(call.principal.account))

    async def list_sessions(self, call: Call, query: Paging) -> SessionsView:
        page = await self._people.sessions.page(call.principal.account, cursor=query.cursor, limit=query.limit)
        return SessionsView([_session(item, call.principal.session) for item in page.items], page.next_cursor)

    async def end_session(self, call: Call, path: SessionPath) -> None:
        await self._people.sessions.end(call.principal.account, path.id)

    async def end_sessions(self, call: Call) -> None:
        await self._people.sessions.end_others(call.principal.account, call.principal.session)

    async def ticket(self, call: Call) -> TicketView:
        session = call.principal.session
        if session is None:
            raise Forbidden("A ticket belongs to a session, and this caller has none.", code="session_required")
        secret = await self._people.tickets.issue(Ticket(call.principal.account, session, call.principal.roles))
        return TicketView(ticket=secret, expires_in=int(LIFETIME_SECONDS))

    async def _tokens(self, account: Account, pair: TokenPair) -> TokensView:
        return TokensView(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_in=int(pair.expires_in),
            token_type="Bearer",  # noqa: S106 - RFC 6750's word
            user=await own(self._people, account),
        )


def resource(people: People, rates: RateLimiter, *, registration: bool) -> Resource:
    auth = Auth(people, rates, registration=registration)
    refused = ("invalid_credentials", "second_factor_required", "invalid_second_factor")

    return Resource(
        "auth",
        "Accounts and sessions. Access tokens live for minutes; a refresh token is good for one use.",
        [
            Endpoint(
                method="POST",
                path="/v1/auth/register",
                handler=auth.register,
                access=Access.PUBLIC,
                limit="register",
                summary="Make an account; a mail asks to confirm its address",
                status=201,
                errors={
                    403: ("registration_closed",),
                    409: ("email_taken", "username_taken"),
                    422: ("invalid_email", "invalid_username", "invalid_display_name", "weak_password"),
                    503: ("overloaded",),
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/login",
                handler=auth.login,
                access=Access.PUBLIC,
                limit="login",
                summary="Sign in; a missing second factor is 401 second_factor_required",
                errors={
                    401: refused,
                    403: ("account_disabled", "email_not_verified"),
                    429: ("locked_out",),
                    503: ("overloaded",),
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/refresh",
                handler=auth.refresh,
                access=Access.PUBLIC,
                limit="refresh",
                summary="Trade a refresh token for a new pair; one that was used before ends its session",
                errors={401: ("invalid_refresh_token", "refresh_token_reused")},
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/logout",
                handler=auth.logout,
                access=Access.SIGNED_IN,
                limit="default",
                summary="End this session",
                status=204,
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/verify-email",
                handler=auth.verify_email,
                access=Access.PUBLIC,
                limit="email",
                summary="Confirm an e-mail address with the secret of the mailed link",
                errors={422: ("invalid_link",)},
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/verify-email/resend",
                handler=auth.resend_verification,
                access=Access.SIGNED_IN,
                limit="email",
                summary="Mail a new link; the earlier one ends",
                status=204,
            ),
            Endpoint(
                method="GET",
                path="/v1/auth/profile",
                handler=auth.profile,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Who one is",
            ),
            Endpoint(
                method="GET",
                path="/v1/auth/sessions",
                handler=auth.list_sessions,
                access=Access.SIGNED_IN,
                limit="default",
                summary="The devices that are signed in, the latest used first",
                errors={400: ("bad_cursor",)},
            ),
            Endpoint(
                method="DELETE",
                path="/v1/auth/sessions/{id}",
                handler=auth.end_session,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Sign one device out",
                status=204,
                errors={404: ("not_found",)},
            ),
            Endpoint(
                method="DELETE",
                path="/v1/auth/sessions",
                handler=auth.end_sessions,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Sign every other device out",
                status=204,
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/ws-ticket",
                handler=auth.ticket,
                access=Access.SIGNED_IN,
                limit="default",
                summary="A ticket to open one WebSocket with, within seconds",
                errors={403: ("session_required",)},
            ),
        ],
    )


def _session(session: Session, current: UUID | None) -> SessionView:
    return SessionView(
        id=session.id,
        client=session.client,
        created_at=_time(session.created_at),
        last_used_at=_time(session.used_at),
        expires_at=_time(session.expires_at),
        current=session.id == current,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

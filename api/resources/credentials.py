"""Changing what one signs in with: ``/v1/users/me/password``, ``/v1/users/me/email``, and what a forgotten password
takes."""

from __future__ import annotations

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.rates import RateLimiter
from api.http.wire import Wire
from api.people import People
from api.resources.auth import Email, Password, Proof, Secret
from identity.login import folded


class PasswordChange(Wire, frozen=True):
    current_password: Password
    new_password: Password


class EmailChange(Wire, frozen=True):
    email: Email
    password: Password


class ForgottenPassword(Wire, frozen=True):
    email: Email


class NewPassword(Wire, frozen=True):
    """``token`` is the secret of the mailed link."""

    token: Secret
    password: Password


class CredentialCalls:
    def __init__(self, people: People, rates: RateLimiter) -> None:
        self._credentials = people.credentials
        self._rates = rates

    async def change_password(self, call: Call, body: PasswordChange) -> None:
        await self._credentials.change_password(
            call.principal.account,
            session=call.principal.session,
            current=body.current_password,
            new=body.new_password,
            address=call.context.address,
        )

    async def request_email(self, call: Call, body: EmailChange) -> None:
        # By the address that gets the mail as well: many accounts do not make it many mails.
        await self._rates.admit_account("email", folded(body.email), call.context)
        await self._credentials.request_email(
            call.principal.account, email=body.email, password=body.password, address=call.context.address
        )

    async def change_email(self, call: Call, body: Proof) -> None:
        await self._credentials.change_email(body.token)

    async def forgot(self, call: Call, body: ForgottenPassword) -> None:
        await self._rates.admit_account("forgot", folded(body.email), call.context)
        await self._credentials.forgot(body.email)

    async def reset(self, call: Call, body: NewPassword) -> None:
        await self._credentials.reset_password(body.token, body.password)


def resource(people: People, rates: RateLimiter) -> Resource:
    calls = CredentialCalls(people, rates)
    return Resource(
        "credentials",
        "Changing what one signs in with. Each change is told by mail, and ends what it has to end.",
        [
            Endpoint(
                method="POST",
                path="/v1/users/me/password",
                handler=calls.change_password,
                access=Access.SIGNED_IN,
                limit="password",
                summary="Change the password; every other device is signed out",
                status=204,
                errors={
                    403: ("wrong_password",),
                    422: ("weak_password",),
                    429: ("locked_out",),
                    503: ("overloaded",),
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/users/me/email",
                handler=calls.request_email,
                access=Access.SIGNED_IN,
                limit="email",
                summary="Ask for another e-mail address; a mail to it has the link that makes it so",
                status=204,
                errors={
                    403: ("wrong_password",),
                    409: ("email_taken",),
                    422: ("invalid_email", "email_unchanged"),
                    429: ("locked_out",),
                    503: ("overloaded",),
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/users/me/email/verify",
                handler=calls.change_email,
                access=Access.PUBLIC,
                limit="email",
                summary="Use the new e-mail address, with the secret of the link that was mailed to it",
                status=204,
                errors={409: ("email_taken",), 422: ("invalid_link",)},
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/forgot-password",
                handler=calls.forgot,
                access=Access.PUBLIC,
                limit="forgot",
                summary="Mail a link to choose a new password, if there is such an account; the answer never says",
                status=204,
                errors={503: ("overloaded",)},
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/reset-password",
                handler=calls.reset,
                access=Access.PUBLIC,
                limit="forgot",
                summary="Choose a new password with the secret of the mailed link; every device is signed out",
                status=204,
                errors={422: ("invalid_link", "weak_password"), 503: ("overloaded",)},
            ),
        ],
    )

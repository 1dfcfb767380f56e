"""``/v1/auth/2fa``: codes of an authenticator besides the password."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.people import People
from api.resources.auth import Password

Code = Annotated[str, Meta(min_length=1, max_length=16)]
RecoveryCode = Annotated[str, Meta(min_length=1, max_length=64)]


class EnrolmentView(View, frozen=True):
    """Shown once: the same secret as text, as a URI and as a picture of that URI."""

    secret: str
    otpauth_uri: str
    qr_svg: str


class FirstCode(Wire, frozen=True):
    totp: Code


class BothProofs(Wire, frozen=True):
    """The password, and a code of the authenticator or a recovery code."""

    password: Password
    totp: Code | None = None
    recovery_code: RecoveryCode | None = None


class RecoveryCodesView(View, frozen=True):
    """Shown once; each is good for one sign-in without the authenticator."""

    recovery_codes: list[str]


class SecondFactorView(View, frozen=True):
    enabled: bool
    recovery_codes_left: int


class SecondFactorCalls:
    def __init__(self, people: People) -> None:
        self._second = people.second_factor

    async def look(self, call: Call) -> SecondFactorView:
        found = await self._second.standing(call.principal.account)
        return SecondFactorView(enabled=found.enabled, recovery_codes_left=found.recovery_codes_left)

    async def enable(self, call: Call) -> EnrolmentView:
        made = await self._second.enable(call.principal.account)
        return EnrolmentView(secret=made.secret, otpauth_uri=made.uri, qr_svg=made.qr_svg)

    async def verify(self, call: Call, body: FirstCode) -> RecoveryCodesView:
        codes = await self._second.confirm(call.principal.account, body.totp)
        return RecoveryCodesView(recovery_codes=list(codes))

    async def disable(self, call: Call, body: BothProofs) -> None:
        await self._second.disable(
            call.principal.account,
            password=body.password,
            totp=body.totp,
            recovery_code=body.recovery_code,
            address=call.context.address,
        )

    async def renew(self, call: Call, body: BothProofs) -> RecoveryCodesView:
        codes = await self._second.renew_codes(
            call.principal.account,
            password=body.password,
            totp=body.totp,
            recovery_code=body.recovery_code,
            address=call.context.address,
        )
        return RecoveryCodesView(recovery_codes=list(codes))


def resource(people: People) -> Resource:
    calls = SecondFactorCalls(people)
    refused = {
        403: ("wrong_password", "second_factor_required", "invalid_second_factor"),
        409: ("second_factor_not_enabled",),
        429: ("locked_out",),
        503: ("overloaded",),
    }
    return Resource(
        "second factor",
        "Codes of an authenticator that signing in asks for besides the password.",
        [
            Endpoint(
                method="GET",
                path="/v1/auth/2fa",
                handler=calls.look,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Whether signing in asks for a code, and how many recovery codes are left",
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/2fa/enable",
                handler=calls.enable,
                access=Access.SIGNED_IN,
                limit="second_factor",
                summary="A secret for an authenticator; nothing is asked for until a code of it was verified",
                errors={404: ("not_found",), 409: ("second_factor_enabled",)},
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/2fa/verify",
                handler=calls.verify,
                access=Access.SIGNED_IN,
                limit="second_factor",
                summary="Turn the second factor on with its first code; the answer has the recovery codes, once",
                errors={
                    403: ("invalid_second_factor",),
                    404: ("not_found",),
                    409: ("second_factor_not_begun", "second_factor_enabled"),
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/2fa/disable",
                handler=calls.disable,
                access=Access.SIGNED_IN,
                limit="second_factor",
                summary="Turn it off, with the password and a code",
                status=204,
                errors=refused,
            ),
            Endpoint(
                method="POST",
                path="/v1/auth/2fa/recovery-codes",
                handler=calls.renew,
                access=Access.SIGNED_IN,
                limit="second_factor",
                summary="New recovery codes, with the password and a code; those before are worth nothing",
                errors=refused,
            ),
        ],
    )

"""``/v1/auth/first-admin``: becoming the first admin with the link that ``serve`` prints."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import Wire
from api.people import People
from api.resources.auth import Email, Password, Secret
from api.resources.users import OwnView, own_view
from identity.names import MAX_USERNAME


class FirstAdminClaim(Wire, frozen=True):
    """``token`` is the secret of the printed link."""

    token: Secret
    email: Email
    username: Annotated[str, Meta(min_length=1, max_length=4 * MAX_USERNAME)]
    password: Password


def resource(people: People) -> Resource:
    async def claim_first_admin(call: Call, body: FirstAdminClaim) -> OwnView:
        account = await people.first_admin.claim(
            body.token, email=body.email, username=body.username, password=body.password
        )
        return own_view(account, two_factor_enabled=False)

    return Resource(
        "first-admin",
        "Becoming the first admin.",
        [
            Endpoint(
                method="POST",
                path="/v1/auth/first-admin",
                handler=claim_first_admin,
                access=Access.PUBLIC,
                limit="register",
                summary="Make the first admin, with the secret of the link printed at the server's start",
                status=201,
                errors={
                    409: ("admin_exists", "email_taken", "username_taken"),
                    422: ("invalid_link", "invalid_email", "invalid_username", "weak_password"),
                    503: ("overloaded",),
                },
            ),
        ],
    )

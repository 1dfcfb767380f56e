"""Who is asking, by the Authorization header: a person with an access token, or an operator with the metrics token."""

from __future__ import annotations

from collections.abc import Mapping

from api.http.access import Principal
from config.values import Secret
from identity.revocations import Revocations
from identity.tokens import AccessTokens
from kernel.clock import Clock
from kernel.errors import Unauthenticated


class BearerTokens:
    """api.http.access.Authenticator."""

    def __init__(self, operator: Secret, tokens: AccessTokens, revocations: Revocations, clock: Clock) -> None:
        self._operator = operator
        self._tokens = tokens
        self._revocations = revocations
        self._clock = clock

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        said = headers.get("Authorization")
        if said is None:
            return None
        scheme, _, token = said.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Authorization is `Bearer` and an access token.", code="invalid_token")
        token = token.strip()
        if self._operator and self._operator.matches(token):
            return Principal("metrics-token", "operator")
        claims = self._tokens.verify(token, self._clock.now())
        await self._revocations.require_alive(claims.sid)
        return Principal(str(claims.sub), "user", frozenset(claims.roles), claims.sid)

"""Who is asking, by the Authorization header: a person, a program with an API key, or an operator."""

from __future__ import annotations

from collections.abc import Mapping

from api.http.access import Principal
from config.values import Secret
from identity.apikeys import PREFIX, ApiKeys
from identity.plans import Plans
from identity.revocations import Revocations
from identity.tokens import AccessTokens
from kernel.clock import Clock
from kernel.errors import Unauthenticated


class BearerTokens:
    """api.http.access.Authenticator."""

    def __init__(
        self,
        *,
        operator: Secret,
        tokens: AccessTokens,
        revocations: Revocations,
        keys: ApiKeys,
        plans: Plans,
        clock: Clock,
    ) -> None:
        self._operator = operator
        self._tokens = tokens
        self._revocations = revocations
        self._keys = keys
        self._plans = plans
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
        if token.startswith(PREFIX):
            key = await self._keys.recognise(token)
            return Principal(str(key.id), "service", scopes=key.scopes, rate=key.rate)
        claims = self._tokens.verify(token, self._clock.now())
        try:
            await self._revocations.require_alive(claims.sid)
        except Unauthenticated:
            # Nobody asks again with what is refused, and whose it was may have been erased.
            self._tokens.drop(token)
            raise
        factor = await self._plans.rate_factor(claims.sub)
        return Principal(str(claims.sub), "user", claims.roles, claims.sid, rate_factor=factor)

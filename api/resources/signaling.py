"""The socket of a room, as far as it is HTTP: who may open it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from api.app import SHELL
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.problem import problem_response
from identity.roomtokens import SIGNALING
from kernel.errors import Forbidden, Malformed, Unauthenticated
from signaling.reception import Reception
from signaling.socket import SUBPROTOCOL

# A browser can give a socket no header of its own. The token is a subprotocol that is offered and never chosen.
OFFERED: Final = "bearer."


def resource(reception: Reception) -> Resource:
    async def signaling(call: Call) -> web.StreamResponse:
        request = call.request
        if request.method != "GET" or request.headers.get("Upgrade", "").lower() != "websocket":
            return _upgrade_required()
        if request.query_string:
            raise Malformed("This address takes no query: what stands in one is logged.", code="invalid_query")
        _require_origin(call)
        offered = _offered(_subprotocols(request))
        try:
            claims = reception.claims(_from_header(request) if offered is None else offered)
        except Unauthenticated as error:
            if offered is None:
                raise
            return await reception.turn_away(request, error)
        return await reception.serve(request, claims, request.app[SHELL].lifecycle.register_socket)

    return Resource(
        "signaling",
        "The socket of a room: docs/signaling.md says what is spoken on it.",
        [
            Endpoint(
                method="GET",
                path=SIGNALING,
                handler=signaling,
                access=Access.ROOM_TOKEN,
                limit="sockets",
                summary="A WebSocket, with a room token",
                streaming=True,
                documented=False,
                content="application/json",
            )
        ],
    )


def _upgrade_required() -> web.Response:
    response = problem_response(426, "upgrade_required", "This address is a WebSocket.")
    response.headers["Upgrade"] = "websocket"
    return response


def _require_origin(call: Call) -> None:
    origin = call.request.headers.get("Origin")
    if origin is not None and not call.request.app[SHELL].origins.allows(origin, call.request, call.context):
        raise Forbidden(
            "This origin may not open sockets here; server.allowed_origins lists those that may.",
            code="origin_not_allowed",
        )


def _from_header(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("This needs a room token in the Authorization header or among the subprotocols.")
    return token.strip()


def _subprotocols(request: web.Request) -> Sequence[str]:
    """Of the one line that aiohttp looks at, too: a line without any of ours it writes into the log, tokens and all."""
    line = request.headers.get("Sec-WebSocket-Protocol")
    words = [] if line is None else [word.strip() for word in line.split(",")]
    if words and SUBPROTOCOL not in words:
        raise Malformed(f"The subprotocol spoken here is {SUBPROTOCOL}.", code="unknown_subprotocol")
    return words


def _offered(subprotocols: Sequence[str]) -> str | None:
    return next((word.removeprefix(OFFERED) for word in subprotocols if word.startswith(OFFERED)), None)

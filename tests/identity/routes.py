"""Who may call what: every route of the product has its line here. A new one gets its line, and a thought, first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    access: str
    limit: str | None
    scope: str | None = None


# A line is a method, a path, the rate limit, and the scope that lets API keys in, if any.
_TABLE: Final[Mapping[str, str]] = {
    "public": """
        GET    /health                                                      -
        GET    /health/live                                                 -
        GET    /health/ready                                                -
        GET    /                                                            -
        GET    /assets/{name}                                               -
        GET    /docs                                                        -
        GET    /docs/style.css                                              -
        GET    /openapi.json                                                -
        GET    /verify-email                                                -
        GET    /change-email                                                -
        GET    /reset-password                                              -
        GET    /first-admin                                                 -
        GET    /links/style.css                                             -
        GET    /links/script.js                                             -
        POST   /v1/auth/register                                            register
        POST   /v1/auth/first-admin                                         register
        POST   /v1/auth/login                                               login
        POST   /v1/auth/refresh                                             refresh
        POST   /v1/auth/verify-email                                        email
        POST   /v1/users/me/email/verify                                    email
        POST   /v1/auth/forgot-password                                     forgot
        POST   /v1/auth/reset-password                                      forgot
    """,
    "signed_url": """
        GET    /v1/objects/{key:.+}                                         -
        PUT    /v1/objects/{key:.+}                                         -
    """,
    "room_token": """
        GET    /v1/calls/ws/signaling                                       sockets
    """,
    "operator": """
        GET    /metrics                                                     -
    """,
    "signed_in": """
        POST   /v1/auth/logout                                              default
        POST   /v1/auth/verify-email/resend                                 email
        GET    /v1/auth/profile                                             default
        GET    /v1/auth/sessions                                            default
        DELETE /v1/auth/sessions                                            default
        DELETE /v1/auth/sessions/{id}                                       default
        POST   /v1/auth/ws-ticket                                           default
        GET    /v1/auth/2fa                                                 default
        POST   /v1/auth/2fa/enable                                          second_factor
        POST   /v1/auth/2fa/verify                                          second_factor
        POST   /v1/auth/2fa/disable                                         second_factor
        POST   /v1/auth/2fa/recovery-codes                                  second_factor
        GET    /v1/users/me                                                 default
        PATCH  /v1/users/me                                                 profile
        DELETE /v1/users/me                                                 password
        POST   /v1/users/me/password                                        password
        POST   /v1/users/me/email                                           email
        PUT    /v1/users/me/avatar                                          profile
        DELETE /v1/users/me/avatar                                          profile
        GET    /v1/users/me/visibility                                      default
        PATCH  /v1/users/me/visibility                                      profile
        GET    /v1/users/me/plan                                            default
        POST   /v1/users/me/export                                          default
        GET    /v1/users/me/export                                          default
        GET    /v1/users/me/friends                                         default
        POST   /v1/users/me/friends/{id}/accept                             default
        DELETE /v1/users/me/friends/{id}/reject                             default
        DELETE /v1/users/me/friends/{id}                                    default
        GET    /v1/users/me/suggestions                                     search
        GET    /v1/users/me/blocked                                         default
        GET    /v1/users/search                                             search
        GET    /v1/users/{id}                                               default
        GET    /v1/users/{id}/avatar                                        avatars
        POST   /v1/users/{id}/friend                                        friend_requests
        POST   /v1/presence                                                 presence
        GET    /v1/presence                                                 default
        POST   /v1/users/{id}/block                                         default
        DELETE /v1/users/{id}/block                                         default
        POST   /v1/keys/upload                                              default
        POST   /v1/keys/rotate                                              default
        GET    /v1/keys/count                                               default
        GET    /v1/keys/{user_id}                                           messages
        GET    /v1/keys/{user_id}/changes                                   default
        DELETE /v1/keys/devices/{device_id}                                 default
        POST   /v1/conversations                                            default
        GET    /v1/conversations                                            default
        GET    /v1/conversations/public                                     search
        GET    /v1/conversations/{id}                                       default
        GET    /v1/conversations/{id}/avatar                                avatars
        PUT    /v1/conversations/{id}/avatar                                profile
        DELETE /v1/conversations/{id}/avatar                                profile
        PATCH  /v1/conversations/{id}                                       default
        DELETE /v1/conversations/{id}                                       default
        PATCH  /v1/conversations/{id}/settings                              default
        GET    /v1/conversations/{id}/participants                          default
        POST   /v1/conversations/{id}/participants                          default
        DELETE /v1/conversations/{id}/participants/{user_id}                default
        PATCH  /v1/conversations/{id}/participants/{user_id}                default
        GET    /v1/conversations/{id}/bans                                  default
        PUT    /v1/conversations/{id}/bans/{user_id}                        default
        DELETE /v1/conversations/{id}/bans/{user_id}                        default
        POST   /v1/conversations/{id}/leave                                 default
        POST   /v1/conversations/{id}/owner                                 default
        POST   /v1/conversations/{id}/join                                  default
        POST   /v1/conversations/join                                       default
        POST   /v1/conversations/join/preview                               default
        POST   /v1/conversations/{id}/invites                               default
        GET    /v1/conversations/{id}/invites                               default
        DELETE /v1/conversations/{id}/invites/{invite_id}                   default
        POST   /v1/conversations/{id}/mode/proposals                        default
        GET    /v1/conversations/{id}/mode/proposals                        default
        GET    /v1/conversations/{id}/mode/proposals/{proposal_id}          default
        POST   /v1/conversations/{id}/mode/proposals/{proposal_id}/consent  default
        POST   /v1/rooms                                                    default  rooms:write
        GET    /v1/rooms                                                    default  rooms:read
        GET    /v1/rooms/{id}                                               default  rooms:read
        DELETE /v1/rooms/{id}                                               default  rooms:write
        POST   /v1/rooms/{id}/tokens                                        default  tokens:mint
    """,
    "admin": """
        GET    /v1/admin/users                                              default  users:read
        GET    /v1/admin/users/{id}                                         default  users:read
        GET    /v1/admin/stats                                              default  users:read
        GET    /v1/admin/audit                                              default  audit:read
        PATCH  /v1/admin/users/{id}                                         default
        PUT    /v1/admin/users/{id}/plan                                    default
        POST   /v1/admin/users/{id}/logout                                  default
        POST   /v1/admin/users/{id}/reset-second-factor                     default
        POST   /v1/admin/users/{id}/erase                                   password
        GET    /v1/admin/erasures                                           default
        GET    /v1/admin/erasures/{id}                                      default
        POST   /v1/admin/api-keys                                           default
        GET    /v1/admin/api-keys                                           default
        GET    /v1/admin/api-keys/{id}                                      default
        DELETE /v1/admin/api-keys/{id}                                      default
    """,
}

# Why a route may be asked as often as anybody likes.
UNLIMITED: Final[Mapping[str, str]] = {
    "/health": "machines ask every few seconds, and the answer is kept for a moment",
    "/metrics": "for operators only, whose scraper asks every few seconds",
    "/v1/objects/": "a signed URL names one object, for minutes",
    "/v1/": "",
    "/": "bytes made at start-up, the same for everybody",
}


def _rules() -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for access, lines in _TABLE.items():
        for line in lines.strip().splitlines():
            method, path, limit, *scope = line.split()
            rule = Rule(access, None if limit == "-" else limit, scope[0] if scope else None)
            if found.setdefault(f"{method} {path}", rule) is not rule:
                raise ValueError(f"{method} {path} has two lines")
    return found


RULES: Final[Mapping[str, Rule]] = _rules()


def why_unlimited(path: str) -> str:
    """Empty where there is no reason."""
    return next(why for prefix, why in UNLIMITED.items() if path.startswith(prefix))

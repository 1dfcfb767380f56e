"""Who may: the whole table of rules and callers."""

from __future__ import annotations

import pytest

from api.http.access import OPEN, Access, Principal, permit
from kernel.errors import Forbidden, SecureConnectError, Unauthenticated

CALLERS = {
    "nobody": None,
    "user": Principal("u1", "user"),
    "service": Principal("s1", "service"),
    "operator": Principal("metrics-token", "operator"),
    "admin": Principal("u2", "user", frozenset({"admin"})),
}

MAY = {
    Access.PUBLIC: {"nobody", "user", "service", "operator", "admin"},
    Access.SIGNED_URL: {"nobody", "user", "service", "operator", "admin"},
    Access.ROOM_TOKEN: {"nobody", "user", "service", "operator", "admin"},
    Access.SIGNED_IN: {"user", "admin"},
    Access.OPERATOR: {"operator", "admin"},
    Access.ADMIN: {"admin"},
}


def test_every_rule_is_in_the_table() -> None:
    assert set(MAY) == set(Access)


@pytest.mark.parametrize("rule", Access)
@pytest.mark.parametrize("caller", CALLERS)
def test_each_caller_may_exactly_what_the_table_says(rule: Access, caller: str) -> None:
    if caller in MAY[rule]:
        permit(rule, CALLERS[caller])
        return
    refusal: type[SecureConnectError] = Unauthenticated if caller == "nobody" else Forbidden
    with pytest.raises(refusal):
        permit(rule, CALLERS[caller])


@pytest.mark.parametrize("rule", [rule for rule in Access if rule not in OPEN])
def test_a_service_is_let_in_by_the_scope_of_an_endpoint_and_by_nothing_else(rule: Access) -> None:
    key = Principal("k1", "service", scopes=frozenset({"rooms:read"}))
    permit(rule, key, "rooms:read")
    for scope, code in (("rooms:write", "insufficient_scope"), (None, "forbidden")):
        with pytest.raises(Forbidden) as caught:
            permit(rule, key, scope)
        assert caught.value.code == code


def test_a_scope_asks_nothing_of_people_and_gives_them_nothing() -> None:
    permit(Access.SIGNED_IN, Principal("u1", "user"), "rooms:read")
    with pytest.raises(Forbidden):
        permit(Access.ADMIN, Principal("u1", "user"), "rooms:read")


def test_a_role_makes_no_service_an_admin() -> None:
    with pytest.raises(Forbidden):
        permit(Access.ADMIN, Principal("k1", "service", frozenset({"admin"})))


def test_a_role_of_another_name_opens_nothing() -> None:
    with pytest.raises(Forbidden):
        permit(Access.ADMIN, Principal("u1", "admin", frozenset({"Admin", "administrator", "moderator"})))

"""Who may do what to whom, by itself."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.membership import Action, Member, Role, may, may_to, require, successor
from kernel.errors import Forbidden, Unprocessable

GROUP = [Role.MEMBER, Role.ADMIN, Role.OWNER]
ROLES = st.sampled_from(Role)
ACTIONS = st.sampled_from(Action)
MEMBERS = st.lists(
    st.builds(
        Member,
        conversation=st.just(UUID(int=1)),
        person=st.uuids(),
        role=st.sampled_from([Role.ADMIN, Role.MEMBER]),
        joined_at=st.integers(0, 5).map(float),
    ),
    unique_by=lambda member: member.person,
    max_size=8,
)


@given(ACTIONS)
def test_who_is_higher_may_do_all_that_the_lower_may(action: Action) -> None:
    allowed = [may(role, action) for role in GROUP]
    assert allowed == sorted(allowed)
    assert may(Role.OWNER, action)


@given(ROLES, ACTIONS, ROLES)
def test_nobody_does_anything_to_their_equals_or_betters(actor: Role, action: Action, subject: Role) -> None:
    if may_to(actor, action, subject):
        assert GROUP.index(actor) > GROUP.index(subject)
        assert may(actor, action)
    assert not may_to(actor, action, actor)
    assert not may_to(actor, action, Role.OWNER)


@given(ROLES, ACTIONS, st.none() | ROLES)
def test_what_may_not_be_is_refused_with_the_reason(actor: Role, action: Action, subject: Role | None) -> None:
    permitted = may(actor, action) if subject is None else may_to(actor, action, subject)
    if permitted:
        require(actor, action, subject)
        return
    expected = Unprocessable if actor is Role.PEER else Forbidden
    with pytest.raises(expected) as caught:
        require(actor, action, subject)
    assert caught.value.code == ("direct_conversation" if actor is Role.PEER else "not_permitted")


@pytest.mark.parametrize("action", [Action.SET_POLICY, Action.SET_ROLE, Action.HAND_OVER, Action.DELETE])
def test_what_decides_over_a_group_is_its_owners(action: Action) -> None:
    assert [role for role in GROUP if may(role, action)] == [Role.OWNER]


def test_the_two_of_a_direct_conversation_have_no_group() -> None:
    group_things = {Action.EDIT, Action.ADD, Action.REMOVE, Action.INVITE, Action.LEAVE, Action.SET_ROLE}
    assert not any(may(Role.PEER, action) for action in group_things | {Action.HAND_OVER, Action.SET_POLICY})


@given(MEMBERS)
def test_an_owners_place_goes_to_the_longest_standing_of_the_highest(members: list[Member]) -> None:
    heir = successor(members)
    if not members:
        assert heir is None
        return
    assert heir in members
    for other in members:
        assert heir is not None
        assert (heir.role is Role.ADMIN) >= (other.role is Role.ADMIN)
        if other.role is heir.role:
            assert (heir.joined_at, heir.person) <= (other.joined_at, other.person)

"""Friendship as a machine, whatever two people do in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from identity.friends import NEWS, TRANSITIONS, Standing, Step

STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from(Step)), max_size=30)


def test_each_step_from_each_standing_is_either_in_the_table_or_cannot_be_done() -> None:
    impossible = {(standing, step) for standing in Standing for step in Step if (standing, step) not in TRANSITIONS}
    assert impossible == {
        (Standing.NONE, Step.ACCEPT),
        (Standing.NONE, Step.REJECT),
        (Standing.NONE, Step.REMOVE),
        (Standing.OUTGOING, Step.ACCEPT),
        (Standing.OUTGOING, Step.REJECT),
        (Standing.INCOMING, Step.REMOVE),
        (Standing.ACCEPTED, Step.REJECT),
    }


@given(STEPS)
def test_nobody_becomes_a_friend_without_both_having_said_so(steps: list[tuple[bool, Step]]) -> None:
    standing, agreed = Standing.NONE, {True: False, False: False}  # as the first of the two sees it
    for first, step in steps:
        seen = standing if first else standing.mirrored
        after = TRANSITIONS.get((seen, step))
        if after is None:
            continue
        standing = after if first else after.mirrored
        if step in (Step.ASK, Step.ACCEPT):
            agreed[first] = True
        if after is Standing.NONE:
            agreed = {True: False, False: False}
        assert (standing is Standing.ACCEPTED) == all(agreed.values())
        assert (standing is Standing.OUTGOING) == (agreed == {True: True, False: False})


@given(st.sampled_from(Standing))
def test_two_mirrors_show_where_one_stands(standing: Standing) -> None:
    assert standing.mirrored.mirrored is standing
    assert (standing.mirrored is standing) == (standing in (Standing.NONE, Standing.ACCEPTED))


@given(st.sampled_from(Standing))
def test_a_block_ends_everything_and_asking_twice_changes_nothing(standing: Standing) -> None:
    assert TRANSITIONS[standing, Step.BLOCK] is Standing.NONE
    once = TRANSITIONS[standing, Step.ASK]
    assert TRANSITIONS[once, Step.ASK] is once
    assert standing in NEWS

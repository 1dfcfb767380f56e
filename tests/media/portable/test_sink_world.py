"""A slot under everything at once: loss in bursts, reordering, duplicates, wraps, switches of sources and of layers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from media.engine import SourceId
from media.extensions import ExtensionName
from tests.emulator.link import Bursts, Conditions
from tests.media.portable.slotworld import World

CLEAN = Conditions(delay=0.1)
ROUGH = Conditions(
    delay=0.1, jitter=0.03, bursts=Bursts(enter=0.01, leave=0.3), reorder=0.02, reorder_by=0.012, duplicate=0.02
)
EXTENSIONS = {ExtensionName.MID: 4, ExtensionName.ABS_SEND_TIME: 2, ExtensionName.ORIENTATION: 13}


def played(
    seed: int,
    upstream: Conditions,
    downstream: Conditions,
    *,
    has_rtx: bool = True,
    extensions: Mapping[ExtensionName, int] | None = None,
) -> World:
    """Judged."""
    world = World(seed, upstream, downstream, (1, 3), has_rtx=has_rtx, extensions=extensions or {})
    world.sink.assign(SourceId(1))
    for _ in range(8):
        world.run(world.dice.uniform(0.1, 1.0))
        world.disturb()
    world.settle()
    world.watched.judge()
    assert world.sink.flowing == (SourceId(2), 2), "in the end it has recovered"
    return world


@pytest.mark.parametrize("seed", range(12))
def test_what_a_slot_sends_is_in_order_under_loss_reordering_and_switches(seed: int) -> None:
    world = played(seed, ROUGH, ROUGH)
    assert world.watched.repairs


@pytest.mark.slow(alone=False)
@pytest.mark.parametrize("seed", range(20, 220))
def test_what_a_slot_sends_is_in_order_under_loss_reordering_and_switches_again_and_again(seed: int) -> None:
    played(seed, ROUGH, ROUGH)


@pytest.mark.parametrize("seed", range(500, 505))
def test_nothing_is_missing_and_nothing_is_repaired_where_nothing_is_lost(seed: int) -> None:
    world = played(seed, CLEAN, CLEAN)
    assert world.watched.repairs == 0
    assert sorted(world.watched.out) == list(range(min(world.watched.out), max(world.watched.out) + 1))
    assert not world.drops


@pytest.mark.parametrize("seed", range(600, 605))
def test_a_subscriber_without_repairs_never_gets_a_number_twice(seed: int) -> None:
    world = played(seed, ROUGH, ROUGH, has_rtx=False)
    assert world.watched.repairs == 0
    assert world.drops["nack_without_rtx"]


@pytest.mark.parametrize("seed", range(700, 705))
def test_all_of_it_holds_with_extensions(seed: int) -> None:
    world = played(seed, ROUGH, ROUGH, extensions=EXTENSIONS)
    assert len({len(one.packet.extension_block) for one in world.watched.out.values()}) == 1

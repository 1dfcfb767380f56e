"""A slot under everything at once: loss in bursts, reordering, duplicates, wraps, switches of sources and of layers."""

from __future__ import annotations

import pytest

from media.engine import SourceId
from tests.emulator.link import Bursts, Conditions
from tests.media.portable.slotworld import World

CLEAN = Conditions(delay=0.05)
ROUGH = Conditions(
    delay=0.1, jitter=0.03, bursts=Bursts(enter=0.01, leave=0.3), reorder=0.02, reorder_by=0.012, duplicate=0.02
)


@pytest.mark.parametrize("seed", range(60))
def test_what_a_slot_sends_is_in_order_under_loss_reordering_and_switches(seed: int) -> None:
    world = World(seed, ROUGH, ROUGH)
    world.sink.assign(SourceId(1))
    for _ in range(8):
        world.run(world.dice.uniform(0.1, 1.0))
        world.disturb()
    world.settle()
    world.watched.judge()
    assert world.sink.flowing == (SourceId(3), 2)

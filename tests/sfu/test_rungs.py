"""What can be had of a published picture."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from media.engine import Layer, LayerStats
from sfu.rungs import PATIENCE, Rungs

SIZES = ((320, 180), (640, 360), (1280, 720))


def flowing(*layers: tuple[int, int, int, float]) -> Mapping[Layer, LayerStats]:
    return {Layer(spatial, temporal): LayerStats(bitrate, fps) for spatial, temporal, bitrate, fps in layers}


def steps(rungs: Rungs, *, asked: int = 3, asked_for: float = 60.0) -> list[tuple[int, int, int, float]]:
    return [(one.spatial, one.temporal, one.bitrate, one.fps) for one in rungs.rungs(asked=asked, asked_for=asked_for)]


def test_before_anything_flows_there_is_what_was_announced_at_a_guess() -> None:
    rungs = Rungs(SIZES, 3).rungs(asked=3, asked_for=0.0)
    assert [(one.spatial, one.width, one.height) for one in rungs] == [(0, 320, 180), (1, 640, 360), (2, 1280, 720)]
    assert [one.bitrate for one in rungs] == sorted({one.bitrate for one in rungs})
    assert 300_000 < rungs[1].bitrate < 700_000


def test_encodings_stand_for_themselves_and_layers_of_one_stream_on_those_below() -> None:
    layers = flowing((0, 0, 100, 30.0), (1, 0, 300, 30.0), (2, 0, 900, 30.0))
    simulcast, scalable = Rungs(SIZES, 3), Rungs(SIZES, 0)
    simulcast.note(layers)
    scalable.note(layers)
    assert [bitrate for _, _, bitrate, _ in steps(simulcast)] == [100, 300, 900]
    assert [bitrate for _, _, bitrate, _ in steps(scalable)] == [100, 400, 1300]


def test_frame_rates_are_rungs_of_the_lowest_layer_only() -> None:
    rungs = Rungs(SIZES[:2], 2)
    rungs.note(flowing((0, 0, 60, 7.5), (0, 1, 20, 7.5), (0, 2, 20, 15.0), (1, 0, 200, 7.5), (1, 1, 200, 22.5)))
    assert steps(rungs, asked=2) == [(0, 0, 60, 7.5), (0, 1, 80, 15.0), (0, 2, 100, 30.0), (1, 1, 400, 30.0)]


def test_a_layer_that_was_not_asked_for_can_be_had_at_what_it_took_before() -> None:
    rungs = Rungs(SIZES, 3)
    rungs.note(flowing((0, 0, 100, 30.0), (1, 0, 300, 30.0), (2, 0, 900, 30.0)))
    rungs.note(flowing((0, 0, 110, 30.0)))
    assert steps(rungs, asked=1) == [(0, 0, 110, 30.0), (1, 0, 300, 30.0), (2, 0, 900, 30.0)]


def test_a_layer_that_was_asked_for_and_does_not_come_cannot_be_had() -> None:
    rungs = Rungs(SIZES, 3)
    rungs.note(flowing((0, 0, 100, 30.0), (1, 0, 300, 30.0)))
    assert len(steps(rungs, asked_for=PATIENCE)) == 3
    assert steps(rungs, asked_for=PATIENCE + 0.1) == [(0, 0, 100, 30.0), (1, 0, 300, 30.0)]
    rungs.note({})
    assert steps(rungs) == []
    assert len(steps(rungs, asked=0)) == 3


def test_sizes_are_those_that_flow_or_else_those_announced_or_else_halves() -> None:
    scalable = Rungs([(1280, 720)], 0)
    scalable.note(
        {
            Layer(0): LayerStats(1, 30.0),
            Layer(1): LayerStats(1, 30.0, 600, 300),
            Layer(2): LayerStats(1, 30.0),
        }
    )
    sizes = [(one.width, one.height) for one in scalable.rungs(asked=3, asked_for=0.0)]
    assert sizes == [(320, 180), (600, 300), (1280, 720)]
    unannounced = Rungs([], 3).rungs(asked=3, asked_for=0.0)
    assert [(one.width, one.height) for one in unannounced] == [(320, 180), (640, 360), (1280, 720)]


def test_layers_of_one_stream_are_those_announced_until_more_come() -> None:
    rungs = Rungs(SIZES, 0)
    assert rungs.count == 3
    rungs.note(flowing((0, 0, 100, 30.0), (3, 0, 900, 30.0)))
    assert rungs.count == 4
    assert Rungs(SIZES[:1], 0).count == Rungs([], 0).count == 1


def test_layers_beyond_those_negotiated_are_nobodys() -> None:
    rungs = Rungs(SIZES[:2], 2)
    rungs.note(flowing((0, 0, 100, 30.0), (5, 0, 1, 30.0)))
    assert rungs.count == 2
    assert [spatial for spatial, *_ in steps(rungs, asked=2, asked_for=0.0)] == [0, 1]


LAYERS = st.dictionaries(
    st.builds(Layer, st.integers(0, 3), st.integers(0, 3)),
    st.builds(LayerStats, st.integers(0, 10**7), st.floats(0, 60), st.none() | st.integers(1, 4000), st.integers(1, 9)),
    max_size=8,
)


@given(st.sampled_from([0, 1, 3]), st.lists(LAYERS, max_size=4), st.integers(0, 4), st.floats(0, 20))
def test_rungs_rise_in_every_respect(
    encodings: int, seen: list[dict[Layer, LayerStats]], asked: int, asked_for: float
) -> None:
    rungs = Rungs(SIZES[:encodings], encodings)
    for layers in seen:
        rungs.note(layers)
    found = rungs.rungs(asked=asked, asked_for=asked_for)
    assert [(one.spatial, one.temporal) for one in found] == sorted({(one.spatial, one.temporal) for one in found})
    assert [one.bitrate for one in found] == sorted(one.bitrate for one in found)
    assert all(one.width > 0 and one.height > 0 for one in found)

"""Which sinks of one subscriber keep below what they are allowed, by what fits and what else is sent."""

from __future__ import annotations

import pytest

from media.engine import Ladder, Layer, SinkId
from media.portable.congestion import Congestion
from media.rtcp import ReportBlock

CAMERA, SCREEN, SOUND = SinkId(1), SinkId(2), SinkId(3)
LOW, HIGH = Layer(0), Layer(1)
SIMULCAST = ({LOW: 200_000, HIGH: 800_000}, False)
OPUS = ({LOW: 40_000}, True)


def made(*sinks: SinkId) -> Congestion:
    congestion = Congestion()
    congestion.ladder = Ladder({sink: [LOW, HIGH] for sink in sinks}, desired_bitrate=2_000_000)
    return congestion


def test_without_a_sign_of_a_limit_nothing_is_asked_for_and_nothing_limited() -> None:
    congestion = made(CAMERA)
    assert not congestion.needs_rates(1.0)
    assert congestion.limits({CAMERA: SIMULCAST}, 1.0) == {}


def test_what_does_not_fit_is_told_once_and_once_more_when_it_fits_again() -> None:
    congestion = made(CAMERA)
    congestion.available.remb(500_000, 1.0)
    assert congestion.needs_rates(1.0)
    assert congestion.limits({CAMERA: SIMULCAST}, 1.0) == {CAMERA: 0}
    assert congestion.limits({CAMERA: SIMULCAST}, 1.2) == {}
    congestion.available.remb(5_000_000, 1.4)
    assert congestion.limits({CAMERA: SIMULCAST}, 4.5) == {CAMERA: None}
    assert congestion.limits({CAMERA: SIMULCAST}, 4.7) == {}


def test_a_limit_is_lifted_when_the_receiver_has_stopped_saying_so() -> None:
    congestion = made(CAMERA)
    congestion.available.remb(500_000, 1.0)
    congestion.limits({CAMERA: SIMULCAST}, 1.0)
    assert congestion.needs_rates(20.0)
    assert congestion.limits({CAMERA: SIMULCAST}, 20.0) == {CAMERA: None}
    assert not congestion.needs_rates(20.0)


def test_what_has_no_ladder_takes_its_share_first() -> None:
    congestion = made(CAMERA)
    congestion.available.remb(830_000, 1.0)
    assert congestion.limits({CAMERA: SIMULCAST}, 1.0) == {}
    assert congestion.limits({CAMERA: SIMULCAST, SOUND: OPUS}, 1.2) == {CAMERA: 0}


def test_encodings_replace_each_other_and_scalable_layers_add_up() -> None:
    rates = {LOW: 200_000, HIGH: 800_000}
    congestion = made(CAMERA)
    congestion.available.remb(900_000, 1.0)
    assert congestion.limits({CAMERA: (rates, False)}, 1.0) == {}
    assert congestion.limits({CAMERA: (rates, True)}, 1.2) == {CAMERA: 0}


def test_a_sink_that_nothing_flows_into_any_more_is_limited_no_more() -> None:
    congestion = made(CAMERA, SCREEN)
    congestion.available.remb(500_000, 1.0)
    assert congestion.limits({CAMERA: SIMULCAST, SCREEN: SIMULCAST}, 1.0) == {CAMERA: 0, SCREEN: 0}
    assert congestion.limits({CAMERA: SIMULCAST}, 1.2) == {SCREEN: None}


def test_what_is_sent_is_measured_over_the_last_second() -> None:
    congestion = made()
    assert congestion.sending == 0
    for look in range(20):
        congestion.measure(look * 25_000, look * 0.2)
    assert congestion.sending == pytest.approx(1_000_000)
    congestion.measure(10_000_000, 19 * 0.2)
    assert congestion.sending == pytest.approx(1_000_000)


def test_heavy_loss_is_a_sign_of_a_limit() -> None:
    congestion = made(CAMERA)
    for look in range(6):
        congestion.measure(look * 25_000, look * 0.2)
    for highest in (100, 200):
        congestion.heard([ReportBlock(7, 77, 30, highest, 0, 0, 0)], 1.0)
    available = congestion.available.bitrate(1.0)
    assert available is not None
    assert 700_000 < available < 1_000_000

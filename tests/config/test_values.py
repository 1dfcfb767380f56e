"""Units: what is written reads back as the same value, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.values import Duration, Secret, Size


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_a_duration_reads_back_as_it_was_printed(seconds: float) -> None:
    assert Duration.parse(str(Duration(seconds))) == seconds


@given(
    st.integers(min_value=0, max_value=10**9),
    st.integers(min_value=0, max_value=999),
    st.sampled_from([("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]),
)
def test_a_duration_is_its_amount_times_its_unit(whole: int, thousandths: int, unit: tuple[str, int]) -> None:
    name, milliseconds = unit
    parsed = Duration.parse(f"{whole}.{thousandths:03d}{name}")
    assert parsed == (whole * 1000 + thousandths) * milliseconds / 1_000_000
    assert Duration.parse(str(parsed)) == parsed


@given(st.integers(min_value=0, max_value=1 << 62))
def test_a_size_reads_back_as_it_was_printed(size: int) -> None:
    assert Size.parse(str(Size(size))) == size


@given(st.integers(min_value=0, max_value=10**9), st.sampled_from(["B", "KiB", "MiB", "GiB", "TiB", "kB", "MB", "GB"]))
def test_a_size_is_its_amount_times_its_unit(amount: int, unit: str) -> None:
    factor = {"K": 1024, "k": 1000, "M": 1024**2, "G": 1024**3, "T": 1024**4, "B": 1}[unit[0]]
    if unit in ("MB", "GB"):
        factor = 1000 ** ("MG".index(unit[0]) + 2)
    assert Size.parse(f"{amount} {unit}") == amount * factor


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("90s", "90s"),
        ("60s", "1m"),
        ("1.5h", "90m"),
        ("0.25s", "250ms"),
        ("7d", "7d"),
        ("0ms", "0s"),
        ("0.1ms", "0.0001s"),
    ],
)
def test_durations_are_shown_in_the_largest_whole_unit(written: str, shown: str) -> None:
    assert str(Duration.parse(written)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "15",
        "m",
        "-5s",
        "5 parsecs",
        "1e3s",
        "5S",
        "٣s",
        "1_0s",
        "infs",
        "nans",
        "5s5s",
        "9" * 40 + "s",
        "1.s",
        ".5s",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        Duration.parse(text)


@pytest.mark.parametrize("text", ["", "100", "MiB", "-1B", "1 QiB", "1mib", "0x10B", "9" * 40 + "B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as"):
        Size.parse(text)


def test_half_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number of bytes"):
        Size.parse("0.3KiB")


@given(st.text(min_size=5))
def test_a_secret_shows_only_whether_it_is_set(text: str) -> None:
    secret = Secret("\U0001f511" + text)
    assert f"{secret} {secret!r} {secret:}" == "set set set"
    assert str(Secret()) == "not set"
    assert secret.reveal() == "\U0001f511" + text

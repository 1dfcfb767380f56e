"""What the doctor says of media: the engine, its port, and whether anybody gets there."""

from __future__ import annotations

import socket
import sys

import pytest

from api.cli.findings import Finding, Verdict
from api.cli.mediacheck import media
from config.sections import Media, Server, Settings


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.subject: finding for finding in media(settings)}


def local(**media: object) -> Settings:
    return Settings(server=Server(media_port=0), media=Media(addresses=("127.0.0.1",), **media))  # type: ignore[arg-type]


def test_the_engine_is_named_with_the_reason() -> None:
    engine = found(local())["media engine"]
    assert engine.verdict is Verdict.FINE
    assert engine.text.startswith("portable: this version has no native one")


def test_a_part_of_it_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylibsrtp", None)
    engine = found(local())["media engine"]
    assert engine.verdict is Verdict.BROKEN
    assert "pylibsrtp" in engine.text


@pytest.mark.parametrize(("kind", "name"), [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")])
def test_a_port_that_is_taken_is_named_with_the_cure(kind: socket.SocketKind, name: str) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        settings = Settings(server=Server(media_port=port), media=Media(addresses=("127.0.0.1",)))
        finding = found(settings)["media port"]
        assert finding.verdict is Verdict.BROKEN
        assert f"{name} {port} at 127.0.0.1" in finding.text
        assert "MEDIA_PORT=" in finding.text
        if kind == socket.SOCK_STREAM:
            without = Settings(server=Server(media_port=port), media=Media(addresses=("127.0.0.1",), tcp=False))
            assert found(without)["media port"].verdict is Verdict.FINE


@pytest.mark.parametrize(
    ("public_url", "advertised", "verdict"),
    [
        ("", (), Verdict.ODD),
        ("", ("10.0.0.5",), Verdict.FINE),
        ("https://meet.example.org", ("10.0.0.5",), Verdict.ODD),
        ("https://meet.example.org", ("10.0.0.5", "8.8.8.8"), Verdict.FINE),
    ],
)
def test_whether_clients_get_there_is_judged_by_what_they_are_told(
    public_url: str, advertised: tuple[str, ...], verdict: Verdict
) -> None:
    server = Server(media_port=0, public_url=public_url)
    finding = found(Settings(server=server, media=Media(addresses=("127.0.0.1",), advertised=advertised)))
    assert finding["media address"].verdict is verdict

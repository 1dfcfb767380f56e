"""The media engine and live rooms in the process: opened, told about, closed; what the gate did is on record."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from api.calls import cannot_listen_for_media
from api.gatetrail import ACTION, MOST_WAITING, GateTrail
from api.listening import CannotListen, bind
from api.serve import running_server, welcome_lines
from config.sections import Media, Server, Settings
from identity.audit import AuditFilter
from kernel.errors import DependencyUnavailable
from tests.worlds import SECRET, World, world

# Whether a port is free is the same for UDP and TCP only if both are looked at.
KINDS = (socket.SOCK_DGRAM, socket.SOCK_STREAM)


async def test_health_names_the_media_engine(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        found = (await here.stranger.get("/health")).body["dependencies"]
        [media] = [item for item in found if item["name"] == "media"]
        assert (media["state"], media["required"]) == ("up", True)


async def test_the_engine_is_bound_where_clients_are_told_and_free_again_afterwards(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        calls = here.started.calls
        told = {(one.address, one.udp_port) for one in calls.advertised}
        assert told == {(place.host, place.port) for place in calls.engine.local}
        assert all(one.tcp_port == one.udp_port for one in calls.advertised)
        assert "127.0.0.1" in {one.address for one in calls.advertised}
        port = calls.engine.local[0].port
        for kind in KINDS:
            with socket.socket(socket.AF_INET, kind) as probe, pytest.raises(OSError, match="in use"):
                probe.bind(("127.0.0.1", port))
        assert any(f"port {port}, UDP and TCP" in line for line in welcome_lines(here.platform.settings, here.started))
    for kind in KINDS:
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


async def start(folder: Path, **media: object) -> None:
    server = Server(port=0, media_port=int(str(media.pop("port"))), data_dir=str(folder))
    settings = Settings(server=server, media=Media(**media))  # type: ignore[arg-type]
    with ExitStack() as stack:
        sockets = bind("127.0.0.1", 0)
        stack.callback(sockets.close)
        async with running_server(settings, SECRET, sockets, access_log=None, announce=lambda _line: None):
            pass


@pytest.mark.parametrize("kind", KINDS)
async def test_a_media_port_that_is_taken_is_told_with_what_to_do(tmp_path: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"media port {port} .* is taken.*MEDIA_PORT"):
            await start(tmp_path, port=port, addresses=("127.0.0.1",))


async def test_an_address_that_this_machine_has_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match=r"lacks an address that media.addresses names"):
        await start(tmp_path, port=0, addresses=("192.0.2.250",))


def test_whatever_keeps_it_from_listening_is_said_in_words() -> None:
    assert "privileges" in str(cannot_listen_for_media(OSError(errno.EACCES, "no"), 80))
    assert "out of buffers" in str(cannot_listen_for_media(OSError(errno.ENOBUFS, "out of buffers"), 8081))


# --- the audit log -------------------------------------------------------------------------------------------


def trail(here: World) -> GateTrail:
    return GateTrail(here.platform.database.units, here.started.people.audit, here.platform.metrics)


async def test_what_the_gate_muted_is_on_the_audit_log(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        room, account = uuid4(), uuid4()
        async with trail(here).running() as gate:
            gate.gate_muted(room, str(account), "track-1", "not_encrypted")
            gate.gate_muted(room, "ada@example.org", None, "not_encrypted")
        page = await here.started.people.audit.page(AuditFilter(subject=str(room)), cursor=None, limit=10)
        assert {(entry.actor, entry.action) for entry in page.items} == {("system", ACTION)}
        assert sorted((dict(entry.details) for entry in page.items), key=len) == [
            {"what": "messages", "reason": "not_encrypted"},
            {"what": "track", "track": "track-1", "reason": "not_encrypted", "participant": str(account)},
        ]


async def test_what_could_not_be_kept_is_counted_and_logged_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as here:

        async def away(*_: object) -> None:
            raise DependencyUnavailable("database", "gone")

        with monkeypatch.context() as patch, capture_logs() as lines:
            patch.setattr(type(here.platform.database.units), "write", away)
            async with trail(here).running() as gate:
                gate.gate_muted(uuid4(), "ada", "track-1", "no_key")
        assert [line["details"]["track"] for line in lines if line["event"] == "the gate muted, unaudited"] == [
            "track-1"
        ]
        with capture_logs() as lines:
            full = trail(here)
            for _ in range(MOST_WAITING + 3):
                full.gate_muted(uuid4(), "ada", None, "no_key")
        assert len(lines) == 3
        assert here.platform.metrics.registry.get_sample_value("secureconnect_gate_audit_lost_total") == 4


async def test_a_fault_of_ours_costs_one_entry_and_not_those_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as here:
        room, gate = uuid4(), trail(here)
        keep = gate._keep
        kept: list[object] = []

        async def faulty_at_first(*given: Any, **named: Any) -> None:
            kept.append(given)
            if len(kept) == 1:
                raise ValueError("a fault of ours")
            await keep(*given, **named)

        monkeypatch.setattr(gate, "_keep", faulty_at_first)
        with capture_logs() as lines:
            async with gate.running():
                gate.gate_muted(room, "ada", "track-1", "no_key")
                gate.gate_muted(room, "ada", "track-2", "no_key")
        page = await here.started.people.audit.page(AuditFilter(subject=str(room)), cursor=None, limit=10)
        assert [entry.details["track"] for entry in page.items] == ["track-2"]
        lost = [line for line in lines if line["event"] == "the gate muted, unaudited"]
        assert [line["details"]["track"] for line in lost] == ["track-1"]


async def test_what_goes_wrong_while_it_runs_is_not_taken_for_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        with pytest.raises(TimeoutError, match="somebody else's"):
            async with trail(here).running():
                raise TimeoutError("somebody else's")


async def test_a_store_that_hangs_does_not_keep_the_server_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as here:

        async def hangs(*_: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr("api.gatetrail.DRAIN_SECONDS", 0.1)
        with monkeypatch.context() as patch:
            patch.setattr(type(here.platform.database.units), "write", hangs)
            async with asyncio.timeout(5), trail(here).running() as gate:
                gate.gate_muted(uuid4(), "ada", None, "no_key")

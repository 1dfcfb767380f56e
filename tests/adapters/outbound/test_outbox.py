"""The directory that stands in for a mail server."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from adapters.outbound.outbox import KEPT
from kernel.errors import DependencyUnavailable
from tests.adapters.outbound.posted import mails_in, outbox, some_mail
from tests.clocks import VirtualClock


async def test_the_link_is_told_to_whoever_started_the_server(tmp_path: Path) -> None:
    heard: list[str] = []
    async with outbox(tmp_path, announce=heard.append) as outgoing:
        await outgoing.mailer.send(some_mail())
    (line,) = heard
    (path,) = (tmp_path / "outbox").iterdir()
    assert line == f"mail 'Verify your address' is in {path} https://meet.example/verify?token=abc"
    assert path.suffix == ".eml"


async def test_a_subject_cannot_move_the_terminal(tmp_path: Path) -> None:
    heard: list[str] = []
    async with outbox(tmp_path, announce=heard.append) as outgoing:
        await outgoing.mailer.send(some_mail(subject="red \x1b[31m alert"))
    assert heard[0].isprintable()


async def test_mails_are_for_this_user_only(tmp_path: Path) -> None:
    async with outbox(tmp_path) as outgoing:
        await outgoing.mailer.send(some_mail())
    directory = tmp_path / "outbox"
    (path,) = directory.iterdir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_mail_sent_again_replaces_itself(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with outbox(tmp_path, clock=clock) as outgoing:
        await outgoing.mailer.send(some_mail(subject="first"))
        clock.advance(60)
        await outgoing.mailer.send(some_mail(subject="again"))
        await outgoing.mailer.send(some_mail(message_id="other"))
    assert sorted(message["Subject"] for message in mails_in(tmp_path)) == ["Verify your address", "again"]


async def test_the_oldest_make_room(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with outbox(tmp_path, clock=clock) as outgoing:
        await outgoing.mailer.send(some_mail(message_id="oldest"))
        (oldest,) = (tmp_path / "outbox").iterdir()
        for number in range(KEPT - 1):
            os.link(oldest, oldest.with_name(f"29991231T000000.000000Z-{number:016x}.eml"))
        clock.advance(1)
        await outgoing.mailer.send(some_mail(message_id="newest"))
    kept = list((tmp_path / "outbox").iterdir())
    assert len(kept) == KEPT
    assert oldest not in kept


async def test_a_draft_of_a_killed_process_is_removed_at_start(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "half.draft").write_bytes(b"half")
    async with outbox(tmp_path):
        assert list((tmp_path / "outbox").iterdir()) == []


async def test_a_directory_that_went_away_is_an_outage(tmp_path: Path) -> None:
    async with outbox(tmp_path) as outgoing:
        (tmp_path / "outbox").rmdir()
        with pytest.raises(DependencyUnavailable):
            await outgoing.mailer.send(some_mail())
        assert not (await outgoing.dependency.probe()).ok
        (tmp_path / "outbox").mkdir()
        await outgoing.mailer.send(some_mail())
        assert (await outgoing.dependency.probe()).ok

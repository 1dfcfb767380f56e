"""What an SMTP server may say: no, not now, not you; and what we never do without TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import trustme

from adapters.outbound import open_mailer
from config import sections
from kernel.breaker import Circuit
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable, Unprocessable
from kernel.metrics import Metrics
from tests.adapters.outbound.posted import Security, smtp, some_mail
from tests.outages.lines import connections_to
from tests.services.cut import CutProxy
from tests.services.smtp import SmtpSink


@pytest.fixture
def sink(smtp_sink: SmtpSink) -> SmtpSink:
    smtp_sink.clear()
    return smtp_sink


async def test_a_recipient_refused_for_good_is_never_tried_again(sink: SmtpSink) -> None:
    async with smtp(sink, sink.port) as outgoing:
        with pytest.raises(Unprocessable, match="550") as refusal:
            await outgoing.mailer.send(some_mail(to="refused@example.org"))
        assert refusal.value.code == "mail_refused"
        assert "example.org" not in refusal.value.detail


async def test_a_recipient_refused_for_now_is_tried_later_and_no_outage(sink: SmtpSink) -> None:
    async with smtp(sink, sink.port) as outgoing:
        for _ in range(10):
            with pytest.raises(DependencyUnavailable, match="451") as later:
                await outgoing.mailer.send(some_mail(to="later@example.org"))
            assert "example.org" not in later.value.detail
        assert (await outgoing.dependency.probe()).circuit is Circuit.CLOSED
        await outgoing.mailer.send(some_mail())
    assert len(sink.messages) == 1


async def test_a_wrong_password_is_ours_to_mend_and_not_the_mails_fault(sink: SmtpSink) -> None:
    async with smtp(
        sink, sink.auth_port, security="starttls", username=sink.username, password="wrong password"
    ) as outgoing:
        with pytest.raises(DependencyUnavailable, match=r"mail\.username and mail\.password") as failure:
            await outgoing.mailer.send(some_mail())
        assert "wrong password" not in failure.value.detail


async def test_a_login_that_is_missing_is_named(sink: SmtpSink) -> None:
    async with smtp(sink, sink.auth_port, security="starttls") as outgoing:
        with pytest.raises(DependencyUnavailable, match="530"):
            await outgoing.mailer.send(some_mail())


@pytest.mark.parametrize(("security", "port"), [("starttls", "port"), ("tls", "port"), ("none", "starttls_port")])
async def test_nothing_goes_out_with_less_protection_than_asked_for(
    sink: SmtpSink, security: Security, port: str
) -> None:
    async with smtp(sink, getattr(sink, port), security=security, timeout=2) as outgoing:
        with pytest.raises(DependencyUnavailable):
            await outgoing.mailer.send(some_mail())
    assert not sink.messages


@pytest.mark.parametrize(("security", "port"), [("starttls", "starttls_port"), ("tls", "tls_port")])
async def test_a_certificate_of_a_stranger_is_refused(
    sink: SmtpSink, tmp_path: Path, security: Security, port: str
) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(stranger)
    async with smtp(sink, getattr(sink, port), security=security, tls_ca=str(stranger)) as outgoing:
        with pytest.raises(DependencyUnavailable, match="certificate"):
            await outgoing.mailer.send(some_mail())
        probe = await outgoing.dependency.probe()
        assert probe.error is not None
        assert "certificate" in probe.error
    assert not sink.messages


@pytest.mark.parametrize(("security", "port"), [("none", "port"), ("starttls", "starttls_port"), ("tls", "tls_port")])
async def test_the_probe_greets_and_goes(sink: SmtpSink, security: Security, port: str) -> None:
    async with smtp(sink, getattr(sink, port), security=security) as outgoing:
        probe = await outgoing.dependency.probe()
        assert probe.ok, probe.error
        assert (outgoing.dependency.name, outgoing.dependency.required) == ("mail", False)
    assert not sink.messages


async def test_a_send_given_up_half_way_closes_its_connection(sink: SmtpSink) -> None:
    async with CutProxy(sink.host, sink.port) as proxy:
        proxy.stall()
        async with smtp(sink, proxy.port) as outgoing:
            task = asyncio.create_task(outgoing.mailer.send(some_mail()))
            async with asyncio.timeout(5):
                while not proxy.connections:
                    await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert connections_to(proxy.port) == 0


@pytest.mark.parametrize("sender", ["", "nobody", "a@b.example, c@d.example", "A <a@b>\r\nBcc: eve@example.org"])
async def test_a_sender_that_is_none_is_refused_at_start_up(tmp_path: Path, sender: str) -> None:
    with pytest.raises(ValueError, match=r"mail\.sender"):
        async with open_mailer(
            sections.Mail(host="127.0.0.1", sender=sender),
            data_dir=tmp_path,
            announce=print,
            clock=SystemClock(),
            metrics=Metrics(),
        ):
            pytest.fail("opened with an impossible sender")


async def test_a_send_cancelled_at_any_moment_is_cancelled(sink: SmtpSink) -> None:
    """An answer that comes together with the cancellation must not make it forgotten."""
    interrupted = 0
    async with smtp(sink, sink.port) as outgoing:
        for turns in range(60):
            task = asyncio.create_task(outgoing.mailer.send(some_mail()))
            await asyncio.sleep(0.0005)
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.cancel():
                interrupted += 1
                await asyncio.wait({task})
                assert task.cancelled()
    assert interrupted > 10

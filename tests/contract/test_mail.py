"""What every mailer promises: the directory, and SMTP in all its variants, alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from kernel.errors import Unprocessable
from tests.adapters.outbound.posted import Post, Security, mails_in, outbox, smtp, some_mail, text_of
from tests.services.smtp import SmtpSink


@pytest.fixture(params=["outbox", "plain", "starttls", "tls", "auth"])
async def post(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Post]:
    async with AsyncExitStack() as stack:
        if request.param == "outbox":
            data_dir = tmp_path_factory.mktemp("outbox")
            outgoing = await stack.enter_async_context(outbox(data_dir))
            yield Post(outgoing.mailer, lambda: mails_in(data_dir))
            return
        sink: SmtpSink = request.getfixturevalue("smtp_sink")
        sink.clear()
        variants: dict[str, tuple[int, Security, str]] = {
            "plain": (sink.port, "none", ""),
            "starttls": (sink.starttls_port, "starttls", ""),
            "tls": (sink.tls_port, "tls", ""),
            "auth": (sink.auth_port, "starttls", sink.username),
        }
        port, security, username = variants[request.param]
        outgoing = await stack.enter_async_context(
            smtp(sink, port, security=security, username=username, password=sink.password if username else "")
        )
        yield Post(outgoing.mailer, lambda: [received.message for received in sink.messages])


async def test_a_mail_arrives_as_text_and_html_under_its_own_id(post: Post) -> None:
    await post.mailer.send(some_mail())
    (message,) = post.received()
    assert message["From"] == "SecureConnect <no-reply@meet.example>"
    assert message["To"] == "ada@example.org"
    assert message["Subject"] == "Verify your address"
    assert message["Message-ID"] == "<job-17@meet.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.tzinfo is not None
    assert message.get_content_type() == "multipart/alternative"
    assert text_of(message, "plain") == "Open https://meet.example/verify?token=abc to go on.\n"
    assert "https://meet.example/verify?token=abc" in text_of(message, "html")


async def test_text_in_any_script_arrives_as_written(post: Post) -> None:
    subject = "Grüße aus 東京 " + "und weiter " * 20
    text = "Zeile eins\n二行目\n" + "long " * 400 + "\n😀 .\n.\n..end\nFrom here\n"
    await post.mailer.send(some_mail(subject=subject.strip(), text=text, html=f"<p>{text}</p>"))
    (message,) = post.received()
    assert message["Subject"] == subject.strip()
    assert text_of(message, "plain") == text
    assert text_of(message, "html").strip() == f"<p>{text}</p>"


async def test_a_mail_without_html_is_plain_text(post: Post) -> None:
    mail = some_mail()
    await post.mailer.send(type(mail)(mail.message_id, mail.to, mail.subject, mail.text))
    (message,) = post.received()
    assert message.get_content_type() == "text/plain"


async def test_a_repeat_can_be_recognised(post: Post) -> None:
    await post.mailer.send(some_mail())
    await post.mailer.send(some_mail())
    assert {message["Message-ID"] for message in post.received()} == {"<job-17@meet.example>"}


async def test_an_id_without_a_domain_gets_the_senders(post: Post) -> None:
    await post.mailer.send(some_mail(message_id="0198c0de"))
    (message,) = post.received()
    assert message["Message-ID"] == "<0198c0de@meet.example>"


async def test_an_international_domain_travels_in_its_ascii_form(post: Post) -> None:
    await post.mailer.send(some_mail(to="ada@straße.example"))
    (message,) = post.received()
    assert message["To"] == "ada@xn--strae-oqa.example"


async def test_an_international_local_part_arrives(post: Post) -> None:
    await post.mailer.send(some_mail(to="grüße@example.org"))
    (message,) = post.received()
    # Python's parser keeps header bytes beyond ASCII as surrogates.
    assert str(message["To"]).encode(errors="surrogateescape").decode() == "grüße@example.org"


@pytest.mark.parametrize(
    "to",
    [
        "",
        "nobody",
        "@example.org",
        "ada@",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org, eve@example.org",
        "ada@example.org>\r\nRCPT TO:<eve@example.org",
        "Ada <ada@example.org>",
        '"a b"@example.org',
        "ada@[127.0.0.1]",
        "ada@exa mple.org",
        "a" * 65 + "@example.org",
        "ada@" + "x" * 64 + ".org",
        ".ada@example.org",
        "a..b@example.org",
        "ada@example..org",
        "ada\x00@example.org",
        "\ud800@example.org",
    ],
)
async def test_what_is_not_one_address_is_refused_for_good(post: Post, to: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        await post.mailer.send(some_mail(to=to))
    assert refusal.value.code == "mail_refused"
    assert not post.received()


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hello\r\nBcc: eve@example.org"},
        {"subject": "Hello\nX-Evil: 1"},
        {"message_id": "a>\r\nBcc: eve@example.org"},
        {"message_id": "a b"},
        {"text": "lone \ud800 surrogate"},
    ],
)
async def test_no_header_can_be_smuggled_in(post: Post, changes: dict[str, str]) -> None:
    with pytest.raises(Unprocessable) as refusal:
        await post.mailer.send(some_mail(**changes))
    assert refusal.value.code == "mail_refused"
    assert not post.received()


async def test_many_at_once_all_arrive(post: Post) -> None:
    await asyncio.gather(*(post.mailer.send(some_mail(message_id=f"many-{number}")) for number in range(20)))
    assert {message["Message-ID"] for message in post.received()} == {
        f"<many-{number}@meet.example>" for number in range(20)
    }

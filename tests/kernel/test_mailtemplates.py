"""Mail templates: values cannot become markup, headers or links to elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.mailtemplates import Link, MailTemplate


@dataclass(frozen=True)
class VerifyAddress:
    name: str
    hours: int
    link: Link


VERIFY = MailTemplate(
    VerifyAddress,
    subject="${name}, verify your address",
    text="Hello ${name},\n\nopen this within ${hours} hours:\n${link}\n",
    html='<p>Hello <b>${name}</b>,</p><p><a href="${link}">verify within ${hours} hours</a></p>',
)
LINK = Link("https://meet.example/verify?token=a&b=<c>")


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def read_html(html: str | None) -> Reader:
    assert html is not None
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def test_a_worked_template() -> None:
    mail = VERIFY.mail(VerifyAddress("Ada & Co", 24, LINK), message_id="job-1", to="ada@example.org")
    assert (mail.message_id, mail.to, mail.subject) == ("job-1", "ada@example.org", "Ada & Co, verify your address")
    assert mail.text == f"Hello Ada & Co,\n\nopen this within 24 hours:\n{LINK.url}\n"
    assert mail.html == (
        "<p>Hello <b>Ada &amp; Co</b>,</p>"
        '<p><a href="https://meet.example/verify?token=a&amp;b=&lt;c&gt;">verify within 24 hours</a></p>'
    )


@given(st.text(max_size=60))
def test_no_value_becomes_markup_or_a_line_of_its_own(name: str) -> None:
    mail = VERIFY.mail(VerifyAddress(name, 24, LINK), message_id="m", to="a@b.example")
    assert "\n" not in mail.subject
    assert "\r" not in mail.subject
    assert mail.text.splitlines()[1:] == ["", "open this within 24 hours:", LINK.url]
    read = read_html(mail.html)
    assert read.tags == [("p", []), ("b", []), ("p", []), ("a", [("href", LINK.url)])]
    assert mail.subject == f"{mail.text.splitlines()[0].removeprefix('Hello ')} verify your address"


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: eve@example.org", "\u202egpj.exe", "a\u2028b", "\x1b[31m", "${link}", "$$"]
)
def test_a_name_is_shown_and_nothing_more(name: str) -> None:
    mail = VERIFY.mail(VerifyAddress(name, 24, LINK), message_id="m", to="a@b.example")
    assert mail.subject.isprintable()
    assert mail.text.count("https://") == 1


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "//meet.example/x",
        "/relative",
        "https://",
        "https:meet.example",
        "https://meet.example/a b",
        "https://meet.example/\nx",
        " https://meet.example",
        "mailto:a@b.example",
        "",
    ],
)
def test_only_web_addresses_are_links(url: str) -> None:
    with pytest.raises(ValueError, match="http or https"):
        Link(url)


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<a href="${name}">x</a>', "Link"),
        ('<a href="https://evil.example/${name}">x</a>', "inside a tag"),
        ('<a href="${link}${name}">x</a>', "inside a tag"),
        ("<a href='${link}'>x</a>", "inside a tag"),
        ('<p title="${name}">x</p>', "inside a tag"),
        ("<p ${name}>x</p>", "inside a tag"),
        ("<script>${name}</script>", "script"),
        ("<STYLE>${name}</STYLE>", "style"),
        ("<p>${unknown}</p>", "not a field"),
        ("<p>$ </p>", "malformed"),
    ],
)
def test_a_template_that_could_harm_is_refused_when_it_is_made(html: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MailTemplate(VerifyAddress, subject="s", text="${name} ${hours} ${link}", html=html)


def test_the_text_says_everything() -> None:
    with pytest.raises(ValueError, match="link"):
        MailTemplate(VerifyAddress, subject="s", text="${name} ${hours}", html="<p>${link}</p>")


def test_values_are_of_kinds_that_can_be_escaped() -> None:
    @dataclass(frozen=True)
    class Raw:
        markup: bytes

    with pytest.raises(TypeError, match="markup"):
        MailTemplate(Raw, subject="s", text="${markup}", html="")

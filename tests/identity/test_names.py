"""Names and addresses: what is refused, what is kept, and which names are one and the same to whoever reads them."""

# ruff: noqa: RUF001 - look-alikes are what this is about

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import names
from kernel.errors import Unprocessable

# Every letter and mark that a username may be tried with, many of them more often than chance would have it.
TRIED = st.text(
    st.one_of(
        st.sampled_from("abcdeilmnorv0158._-"),
        st.sampled_from("авсԁеіјкӏорѕтухαειονρσυհոսօ"),
        st.characters(codec="utf-8"),
    ),
    max_size=20,
)


def refused(text: str) -> str:
    with pytest.raises(Unprocessable) as caught:
        names.username(text)
    assert caught.value.code == "invalid_username"
    assert [field.field for field in caught.value.fields] == ["username"]
    return caught.value.detail


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ada", "ada"),
        ("ada.love-lace_1", "ada.love-lace_1"),
        ("ＡＤＡ", "ada"),
        ("Ⅷada", "viiiada"),
        ("Straße", "strasse"),
        ("e\u0301mile", "émile"),
        ("Сергей", "сергей"),
        ("ΐατρος", "ΐατροσ"),
        ("スターさん", "スターさん"),
        ("佐々木", "佐々木"),
        ("한국어", "한국어"),
        ("علی123", "علی123"),
    ],
)
def test_a_username_is_kept_composed_and_in_lower_case(written: str, kept: str) -> None:
    assert names.username(written) == unicodedata.normalize("NFKC", kept)


@pytest.mark.parametrize(
    "text",
    [
        *("", "ab", "a" * 33, "a b c", "_ada", "ada.", "-ada", "a..b", "a._b", "ada!", "ada@home", "ada/..", "ada\0"),
        *("ada\u200d", "ad\u00ada", "\u202eada", "ada\u2066", "ad\ufeffa", "ada\u034f", "ada\ufe0f"),
        *("ada\n", "\tada", "ada\r\nBcc: x@y.example"),
    ],
)
def test_what_is_no_plain_word_is_refused(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("text", ["аda", "ρaypal", "paураl", "adа", "ᎪᎠᎪda", "adaか", "ʼada"])
def test_letters_of_several_scripts_are_not_mixed(text: str) -> None:
    assert "script" in refused(text)


@pytest.mark.parametrize("text", ["ᎪᎠᎪᎠ", "ꓮꓓꓮꓓ", "ⲁⲃⲁⲃ", "𐌰𐌱𐌰𐌱"])
def test_scripts_that_are_read_by_few_are_not_taken(text: str) -> None:
    assert "few here can read" in refused(text)


@pytest.mark.parametrize("text", ["\u3164" * 3, "한국어\u3164", "\uffa0\u115f\u1160", "한\u1160국"])
def test_letters_that_cannot_be_seen_are_none(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("text", ["ada١", "ada๐", "d〇m", "adaↀ", "123", "1-2-3"])
def test_digits_are_those_of_ascii_and_there_is_a_letter(text: str) -> None:
    refused(text)


@pytest.mark.parametrize(
    "text",
    ["admin", "Admin", "ad.min", "adm1n", "r00t", "adrnin", "ѕуѕтем".replace("м", "m"), "ＡＤＭＩＮ", "5upport"],
)
def test_names_that_seem_to_speak_for_the_server_are_reserved_however_they_are_written(text: str) -> None:
    refused(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("paypal", "раураӏ"),
        ("paypal", "paypa1"),
        ("alice", "a1ice"),
        ("alice", "al1ce"),
        ("bob", "b0b"),
        ("cip", "сір"),
        ("modern", "modem"),
        ("clara", "dara"),
        ("wave", "vvave"),
        ("steven", "5teven"),
        ("adalove", "ada.love"),
        ("adalove", "ada_love"),
        ("emile", "émile"),
        ("bjorn", "bjørn"),
        ("lodz", "łódź"),
        ("hana", "ħana"),
        ("pavon", "ρανοη"),
        ("ınfinite", "infinite"),
        ("ʀobert", "robert"),
        ("ニロ", "二口"),
        ("スター", "ス夕一"),
        ("aether", "æther"),
        ("юлий", "ӏолий"),
        ("сын", "сьӏн"),
        ("แกง", "เเกง"),
        ("ກແກ", "ກເເກ"),
        ("ஔகர", "ஒளகர"),
        ("חיים", "חײם"),
    ],
)
def test_names_that_look_alike_are_one(one: str, other: str) -> None:
    assert names.skeleton(one) == names.skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("alice", "alicia"), ("bob", "rob"), ("сергей", "сергеев"), ("ada", "ida")])
def test_names_that_do_not_look_alike_are_two(one: str, other: str) -> None:
    assert names.skeleton(one) != names.skeleton(other)


@given(TRIED)
def test_a_username_stays_what_it_is(text: str) -> None:
    try:
        name = names.username(text)
    except Unprocessable:
        return
    assert names.username(name) == name
    assert names.MIN_USERNAME <= len(name) <= names.MAX_USERNAME
    assert names.skeleton(name)


@given(TRIED)
def test_a_skeleton_stays_what_it_is_and_case_does_not_matter_to_it(text: str) -> None:
    seen = names.skeleton(text)
    assert names.skeleton(seen) == seen
    assert names.skeleton("".join(f"{char}." for char in text)) == seen


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ada@Example.ORG", "ada@example.org"),
        ("  ada@example.org ", "ada@example.org"),
        ("ada+chat@mail.example.co.uk", "ada+chat@mail.example.co.uk"),
        ("o'neill@xn--bcher-kva.example", "o'neill@xn--bcher-kva.example"),
        ("a" * 64 + "@" + "b" * 63 + ".example", "a" * 64 + "@" + "b" * 63 + ".example"),
    ],
)
def test_an_address_is_kept_in_lower_case(written: str, kept: str) -> None:
    assert names.email(written) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "ada", "@example.org", "ada@", "ada@localhost", "ada@example", "ada@-a.example", "ada@a-.example"),
        *("a" * 65 + "@example.org", "ada@" + "b" * 64 + ".example", "a@" + ("b" * 60 + ".") * 5 + "example"),
        *("ada@example.org\r\nBcc: eve@evil.example", "ada@example.org\n", "\nada@example.org", "ada@exam\rple.org"),
        *(
            "ada@example.org, eve@evil.example",
            "ada@example.org;eve@evil.example",
            "<ada@example.org>",
            "ada@@a.example",
        ),
        *(
            "Ada <ada@example.org>",
            '"ada eve"@example.org',
            ".ada@example.org",
            "a..da@example.org",
            "ada.@example.org",
        ),
        *("ada@[127.0.0.1]", "ada@127.0.0.1", "ada@example.org\0", "ada@exa mple.org", "ada\u00a0@example.org"),
        # Their lower case would be somebody else's address.
        *("bob@\u212aite.example", "\u0130an@example.org", "ａda@example.org", "ádá@example.org"),
    ],
)
def test_what_no_mail_can_be_sent_to_is_refused(text: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        names.email(text)
    assert caught.value.code == "invalid_email"


@given(st.text(max_size=300))
def test_an_address_that_is_taken_is_one_line_of_ascii(text: str) -> None:
    try:
        address = names.email(text + "@example.org")
    except Unprocessable:
        return
    assert address.isascii()
    assert address.isprintable()
    assert " " not in address
    assert names.email(address) == address


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ada  Lovelace ", "Ada Lovelace"),
        ("e\u0301mile", "émile"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
        ("<b>Ada</b>", "<b>Ada</b>"),
    ],
)
def test_a_display_name_is_kept_as_people_write_it(written: str, kept: str) -> None:
    assert names.display_name(written) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "a" * 65, "Ada\nLovelace", "Ada\r\nBcc: x@y.example", "Ada\u2028", "Ada\0", "\ud800"),
        *("\u202eadA", "Ada\u2066", "Ad\u00ada", "a\u200da", "Ada\u200d", "\u200dAda", "Ada\U000e0041", "\ufeffAda"),
        *("\u3164", "\u2800\u2800", "\u0301\u0301", "\u200d", "أ\u200c\u200cب"),
    ],
)
def test_a_display_name_shows_all_there_is(text: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        names.display_name(text)
    assert caught.value.code == "invalid_display_name"


@given(st.text(max_size=80))
def test_a_display_name_stays_what_it_is(text: str) -> None:
    try:
        name = names.display_name(text)
    except Unprocessable:
        return
    assert names.display_name(name) == name

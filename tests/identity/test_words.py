"""The words people are searched by."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.search import MAX_WORDS, Word, question
from identity.words import MAX_WORD, folded, words_of
from kernel.cursors import decode_cursor, encode_cursor

TEXT = st.text(max_size=80)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Zoë Müller", {"zoe", "muller"}),
        ("STRASSE Straße", {"strasse"}),
        ("ada.lovelace", {"ada", "lovelace"}),
        ("ﬁona", {"fiona"}),
        ("Ştefan Çelik", {"stefan", "celik"}),
        ("Ἀθηνᾶ", {"αθηνα"}),
        ("王小明", {"王小明"}),
        ("-- ... __", set()),
    ],
)
def test_case_and_accents_make_no_difference(text: str, words: set[str]) -> None:
    assert words_of(text) == words


@given(TEXT)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(TEXT)
def test_the_words_of_words_are_themselves(text: str) -> None:
    assert words_of(" ".join(sorted(words_of(text)))) == words_of(text)


@given(TEXT)
def test_every_word_of_a_name_can_stand_in_a_cursor(text: str) -> None:
    asked = question(text)
    assert len(asked.words) <= MAX_WORDS
    for word in words_of(text):
        assert 1 <= len(word) <= MAX_WORD
        assert decode_cursor("people", encode_cursor("people", (word,)), tuple[Word]) == (word,)
        assert msgspec.convert(word, Word) == word

"""The tokenizer: any text survives it, and its pieces are the ones that were wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from training.texts.tokenizer import END, train_tokenizer

DOCUMENTS = [
    f"User: I don't know {number} of them, do you?\nGrok: I don't. It's been {number} years!\n"
    for number in range(300)
]


@pytest.fixture(scope="module")
def tokenizer() -> SentencePieceProcessor:
    return SentencePieceProcessor(model_proto=train_tokenizer(DOCUMENTS, 350))


def test_the_same_text_gives_the_same_tokenizer() -> None:
    assert train_tokenizer(DOCUMENTS, 350) == train_tokenizer(iter(DOCUMENTS), 350)


def test_the_special_ids_are_the_released_ones(tokenizer: SentencePieceProcessor) -> None:
    assert tokenizer.vocab_size() == 350
    assert (tokenizer.pad_id(), tokenizer.bos_id()) == (0, 1)
    assert (tokenizer.eos_id(), tokenizer.unk_id()) == (END, 3)
    assert tokenizer.encode("\n") == [4]
    assert tokenizer.encode("\n\n") == [5]


# "▁" is SentencePiece's own sign for a space and comes back as one.
@given(st.text(st.characters(exclude_characters="▁", codec="utf-8")))
def test_any_text_survives(tokenizer: SentencePieceProcessor, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize(
    "text", ["  two  spaces ", " lead", "</s><s>", "a\r\n\tb", "\x00", "🙂漢é"]
)
def test_awkward_text_survives(tokenizer: SentencePieceProcessor, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_contractions_and_labels_are_one_piece_but_no_word_takes_its_comma(
    tokenizer: SentencePieceProcessor,
) -> None:
    pieces = tokenizer.encode("User: I don't know 12 of them, do you?\n", out_type=str)
    assert pieces == [
        *("User:", "▁I", "▁don't", "▁know", "▁", "1", "2"),
        *("▁of", "▁them", ",", "▁do", "▁you", "?", "\n"),
    ]

"""Training the tokenizer: SentencePiece, in the manner of the released one.

Ids 0 to 3 are padding, begin, end and unknown; then come "\\n" and "\\n\\n", so that a line's end
is always a token's end too. Bytes are the fallback: any text survives encoding and decoding.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator

import sentencepiece

from training.texts.corpus import CorpusError

END = 2
"""The id that ends a document."""

LONGEST_LINE = 2000
"""Bytes of a line that are used for training; a sentence of SentencePiece has to be short."""


def train_tokenizer(documents: Iterable[str], vocabulary: int) -> bytes:
    """The contents of a tokenizer.model of so many pieces; the same for the same documents.

    Raises:
        CorpusError: there is too little text for so many.
    """
    model = io.BytesIO()
    try:
        _train(_lines(documents), model, vocabulary)
    except RuntimeError as error:
        raise CorpusError(
            f"too little text for a vocabulary of {vocabulary} pieces ({error}): add text, or have "
            "a smaller vocabulary"
        ) from None
    return model.getvalue()


def _train(lines: Iterator[str], model: io.BytesIO, vocabulary: int) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines,
        model_writer=model,
        model_type="bpe",
        vocab_size=vocabulary,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_digits=True,
        user_defined_symbols=["\n", "\n\n"],
        split_by_unicode_script=False,
        pretokenization_delimiter=_BORDER,
        character_coverage=0.9998,
        max_sentence_length=4 * LONGEST_LINE,
        pad_id=0,
        bos_id=1,
        eos_id=END,
        unk_id=3,
        minloglevel=1,
    )


def _lines(documents: Iterable[str]) -> Iterator[str]:
    for document in documents:
        for line in document.split("\n"):
            if line:
                yield _BETWEEN.sub(_BORDER, line[:LONGEST_LINE])


# No piece crosses a border between a word and punctuation, save for an apostrophe inside a word
# and a label's colon: "don't" and "User:" may be one piece each, "end." may not.
_BORDER = "\x01"
_BETWEEN = re.compile(
    r"(?<=\w)(?=[^\w\s'])(?!: )|(?<=[^\w\s'])(?=\w)|(?<=\w)(?='(?!\w))|(?<=\W')(?=\w)"
)

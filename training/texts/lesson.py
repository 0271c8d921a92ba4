"""Rows of talks of which only the replies are learnt.

In running text a reply is a word in a hundred, and what the person says, the preamble and the
examples are learnt with it. Here they are `hidden`: they are read, no more. The talks are made
anew for each row, under a kind of persona; half of them are put as the app puts them, under the
personas that are shipped.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import sentencepiece

from grok_app.chat import Turn, build_prompt, load_personas
from training.texts.asides import opening
from training.texts.drill import Tokens, hidden
from training.texts.talks.composition import talk
from training.texts.talks.voice import KINDS
from training.texts.tokenizer import END
from training.texts.transcripts import variations

PROMPTS = Path(__file__).parents[2] / "prompts"
SHIPPED_SHARE = 0.5
EXAMPLES = 3  # exchanges, at most
ENOUGH = 100_000  # bytes of a prompt: nothing of it is dropped


class LastReplies:
    """Hides all of a row but what is said last in each of its texts, and that it ends there.

    What answers a page is a line in many: where each is learnt, the model learns to write pages.
    """

    def __init__(self, tokenizer: Path) -> None:
        """For rows of tokens of the `tokenizer`."""
        pieces = sentencepiece.SentencePieceProcessor(str(tokenizer))
        self._line_end = pieces.encode("\n")[-1]
        names = map(pieces.id_to_piece, range(pieces.vocab_size()))
        self._ends_label = np.array([name.endswith(":") for name in names])

    def __call__(self, row: Tokens) -> Tokens:
        """The row, `hidden` but for the last line of each text from behind the label on."""
        learnt = hidden(row)
        for end in np.flatnonzero(row == END):
            lines = np.flatnonzero(row[: max(0, end - 1)] == self._line_end)
            if lines.size:
                labels = np.flatnonzero(self._ends_label[row[lines[-1] : end]])
                reply = slice(lines[-1] + labels[0] + 1, end + 1)
                learnt[reply] = row[reply]
        return learnt


class Lesson:
    """Makes the rows, each from its number alone."""

    def __init__(self, tokenizer: Path, length: int, seed: int) -> None:
        """Rows of `length` + 1 tokens of the `tokenizer`."""
        self._encode = sentencepiece.SentencePieceProcessor(str(tokenizer)).encode
        self._personas = {persona.slug: persona for persona in load_personas(PROMPTS)}
        self._length, self._seed = length, seed

    def row(self, number: int) -> Tokens:
        """int32 [length + 1], `hidden` but for replies. It ends where a talk does, and the talk
        that its beginning cuts is hidden, unless it is the only one: a reply is not learnt without
        what it replies to."""
        rng = Random(f"{self._seed} {number}")
        row = self._taught(*self._document(rng))
        while row.size <= self._length:
            before = self._taught(*self._document(rng))
            if row.size + before.size > self._length + 1:
                before = np.minimum(before, hidden(before))
            row = np.concatenate([before, row])
        return row[-(self._length + 1) :]

    def _document(self, rng: Random) -> tuple[str, int]:
        """A talk, a line a turn, and how many replies at its end are none of an example."""
        kind = rng.choice(KINDS)
        turns = talk(kind, rng)
        replies = len(turns) // 2
        if rng.random() >= SHIPPED_SHARE:
            examples = {kind: [opening(kind, EXAMPLES, rng)]}
            (text,) = variations(turns, (kind,), examples, rng, voice=False)
            return text, replies
        told = [Turn("assistant" if at % 2 else "user", text) for at, text in enumerate(turns)]
        prompt = build_prompt(self._personas[kind], told[:-1], str.encode, ENOUGH, 1)
        return f"{prompt.text} {turns[-1]}\n", replies

    def _taught(self, document: str, replies: int) -> Tokens:
        """The document's tokens and the end of text. Of the last lines every second is learnt, from
        behind its label."""
        tokens = hidden(np.array([*self._encode(document), END], np.int32))
        lines = document.splitlines(keepends=True)
        for line in range(len(lines) - 2 * replies + 1, len(lines), 2):
            before = "".join(lines[:line])
            label, _, _ = lines[line].partition(":")
            first = len(self._encode(f"{before}{label}:"))
            last = len(self._encode(before + lines[line]))
            tokens[first:last] = hidden(tokens[first:last])
        tokens[-1] = END
        return tokens

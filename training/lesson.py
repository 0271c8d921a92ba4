"""Rows of talks of which only the last reply is learnt: what is said to somebody in trouble.

In running text such a reply is a word in a hundred, and all that speaks for another one, such as a
persona that jokes about every wish, outweighs it. Here all that is read before it is `hidden`. Half
of the talks are put as the app puts them, under the personas that are shipped.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import sentencepiece

from grok_app.chat import Turn, build_prompt, load_personas
from training.asides import opening
from training.drill import Tokens, hidden
from training.tokenizer import END
from training.transcripts import variations
from training.trouble import KINDS, talk

PROMPTS = Path(__file__).parent.parent / "prompts"
SHIPPED_SHARE = 0.5
EXAMPLES = 3  # exchanges, at most
ENOUGH = 100_000  # characters of a prompt: nothing of it is dropped


class Lesson:
    """Makes the rows, each from its number alone."""

    def __init__(self, tokenizer: Path, length: int, seed: int) -> None:
        """Rows of `length` + 1 tokens of the `tokenizer`."""
        self._encode = sentencepiece.SentencePieceProcessor(str(tokenizer)).encode
        self._personas = {persona.slug: persona for persona in load_personas(PROMPTS)}
        self._length, self._seed = length, seed

    def row(self, number: int) -> Tokens:
        """int32 [length + 1], `hidden` but for replies."""
        rng, row = Random(f"{self._seed} {number}"), list[int]()
        while len(row) <= self._length:
            row += self._taught(self._document(rng))
        return np.array(row[: self._length + 1], np.int32)

    def _document(self, rng: Random) -> str:
        kind = rng.choice(KINDS)
        turns = talk(kind, rng)
        if rng.random() >= SHIPPED_SHARE:
            examples = {kind: [opening(kind, EXAMPLES, rng)]}
            (text,) = variations(turns, (kind,), examples, rng, voice=False)
            return text
        told = [Turn("assistant" if at % 2 else "user", text) for at, text in enumerate(turns)]
        prompt = build_prompt(self._personas[kind], told[:-1], len, ENOUGH, 1)
        return f"{prompt.text} {turns[-1]}\n"

    def _taught(self, document: str) -> list[int]:
        """The document's last tokens; of its last line what stands after the label is learnt."""
        start = document.rindex("\n", 0, -1) if "\n" in document[:-1] else 0
        label_end = document.index(":", start) + 1
        before = self._encode(document[:label_end])
        learnt = [*self._encode(document)[len(before) :], END]
        too_many = max(0, len(before) + len(learnt) - (self._length + 1))
        return [*hidden(np.array(before, np.int32))[too_many:].tolist(), *learnt]

"""The engine as its callers see it: prompts in, replies, logits and scores out."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial

import jax
import numpy as np

from grok_app.checkpoint.plan import MemoryPlan
from grok_app.engine.channel import Leader
from grok_app.engine.generation import Generation
from grok_app.engine.loop import Loop
from grok_app.engine.recording import record, watch_of
from grok_app.engine.request import Request, SamplingParams
from grok_app.engine.runner import Runner
from grok_app.engine.scorer import CHUNK, Scorer, Scores
from grok_app.engine.tokenizer import Tokenizer
from grok_app.engine.trace import Trace
from grok_app.errors import ContextExceeded, RequestError
from grok_app.interventions import Intervention, check
from grok_app.model import parameters
from grok_app.model.watch import NOTHING, Watch
from grok_app.sampling import SEEDS

_SCORERS = 8  # compiled programs that are kept: for one text, for several, and for traces


class Engine(Loop):
    """A loaded model that serves many at once; made by `grok_app.load`.

    Attributes:
        name, fingerprint: of the checkpoint.
        tokenizer: None where the checkpoint has none; then prompts are token ids.
        parameters, active_parameters: how many, of all and those that a token uses.
        slots: conversations at once.
        queue: requests that may wait for a slot.
        context: most tokens of a conversation.
        scored_texts: texts that can be scored side by side.
        device: what it runs on, in words.
    """

    def __init__(
        self,
        runner: Runner,
        tokenizer: Tokenizer | None,
        name: str,
        fingerprint: str,
        queue: int,
        plan: MemoryPlan,
        leader: Leader | None = None,
    ):
        """Compiles the model and starts to serve; see `Loop`."""
        self.name, self.fingerprint, self.tokenizer = name, fingerprint, tokenizer
        self.parameters = parameters.count(runner.config)
        self.active_parameters = parameters.count_active(runner.config)
        self.slots, self.queue = runner.shards * runner.per_shard, queue
        self.context = runner.context
        self.scored_texts = plan.scored_texts
        self.device = _describe(runner)
        self._scorers = lru_cache(_SCORERS)(partial(Scorer, runner))
        self._scorer_lock, self._serves_changed = threading.Lock(), False
        super().__init__(runner, queue, plan, leader)

    def generate(
        self, prompt: str | Sequence[int], params: SamplingParams = SamplingParams()
    ) -> Generation:
        """Begins a reply to a prompt of text or token ids.

        Returns at once; iterate over the result for its pieces. The reply ends at a stop string, at
        the end-of-text token, after `max_tokens`, or where the context is full. The first with
        interventions compiles the programs for them, in the caller's thread.

        Raises:
            RequestError: the prompt is empty or too long, or has what is no token, or the model
                cannot do the interventions.
            EngineBusy: the queue is full; EngineEnding: see `drain`.
            EngineFailed: the engine serves no more.
        """
        ids = self.encode(prompt)
        self.check_length(ids, with_reply=True)
        if params.stop and self.tokenizer is None:
            raise RequestError(
                "stop strings need a tokenizer, and this checkpoint has none", field="stop"
            )
        if params.interventions:
            self._check_interventions(params.interventions)
            self._compile_changed()
        if params.seed is None:
            params = replace(params, seed=secrets.randbelow(SEEDS))
        request = Request(ids, params, min(params.max_tokens, self.context - len(ids)))
        self._submit(request)
        return Generation(request, self.tokenizer, self._place_of, self._cancel)

    def encode(self, prompt: str | Sequence[int]) -> list[int]:
        """The token ids of a prompt, of text or of token ids.

        Raises:
            RequestError: there are none, one is no token, or the text cannot be read.
        """
        if isinstance(prompt, str):
            prompt = self.require_tokenizer().encode(prompt)
        return self._check_ids(prompt)

    def require_tokenizer(self) -> Tokenizer:
        """The tokenizer.

        Raises:
            RequestError: the checkpoint has none.
        """
        if self.tokenizer is None:
            raise RequestError(
                "this checkpoint has no tokenizer.model, so it cannot read a text: give token ids"
            )
        return self.tokenizer

    def check_length(self, ids: Sequence[int], with_reply: bool = False) -> None:
        """Raises ContextExceeded unless the ids fit the context, and with them the first token of
        a reply if `with_reply`."""
        if len(ids) + with_reply > self.context:
            raise ContextExceeded(
                "the prompt has {used} tokens; this engine's context is {context}, and a reply "
                "needs room too: shorten it"
                if with_reply
                else "the text has {used} tokens; this engine's context is {context}: shorten it",
                used=len(ids),
                context=self.context,
            )

    def logits(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """The model's float32 logits [batch, length, vocabulary] for rows of token ids.

        Shorter rows are padded at their end; what stands there means nothing. Compiles as
        `score_all` does.

        Raises:
            RequestError: a row is empty, too long, or holds what is no token, or several processes
                serve together.
            EngineEnding: see `drain`.
            EngineFailed: the engine serves no more.
        """
        if not len(rows):
            raise RequestError("logits of no rows; expected at least one row of token ids")
        self._check_open()
        checked = [self._check_text(row) for row in rows]
        longest = max(map(len, checked))
        logits = np.zeros((len(rows), longest, self.config.vocab_size), np.float32)
        for first in range(0, len(rows), self.scored_texts):
            batch = checked[first : first + self.scored_texts]
            scorer = self._scorer_of(len(batch))
            cache = self._call(scorer.empty_cache)
            for start in range(0, max(map(len, batch)), CHUNK):
                cache, chunk, _ = self._call(partial(scorer.extend, cache, batch, start))
                part = logits[first : first + len(batch), start : start + CHUNK]
                part[...] = np.asarray(chunk)[: part.shape[0], : part.shape[1]]
        return logits

    def score(
        self, ids: Sequence[int], interventions: Sequence[Intervention] = ()
    ) -> Iterator[Scores]:
        """How likely each token of a text is but the first: [tokens], a chunk at a time.

        Raises:
            RequestError, EngineEnding, EngineFailed: as `score_all`.
        """
        left = len(ids) - 1
        for scores in self.score_all([ids], interventions):
            yield jax.tree.map(lambda array: array[0, :left], scores)  # noqa: B023
            left -= CHUNK

    def score_all(
        self, texts: Sequence[Sequence[int]], interventions: Sequence[Intervention] = ()
    ) -> Iterator[Scores]:
        """How likely each token of some texts is but the first, in arrays of the host [texts,
        CHUNK]: a chunk of all at a time, so that long texts delay nobody for long and leaving the
        iteration ends it. Past the end of a text a score means nothing. At most `scored_texts`.

        The first call, and the first with several texts or with interventions, compiles the program
        for it, in the caller's thread.

        Raises:
            RequestError: there are no texts or too many, one is empty, too long, or holds
                what is no token, or several processes serve together: they follow one another in
                replies only; or the model cannot do the interventions.
            EngineEnding: see `drain`.
            EngineFailed: the engine serves no more.
        """
        most = self.scored_texts
        if not 1 <= len(texts) <= most:
            raise RequestError(
                "{count} texts to score; expected from 1 to {most}", count=len(texts), most=most
            )
        checked, changed = [self._check_text(ids) for ids in texts], tuple(interventions)
        self._check_interventions(changed)
        self._check_open()
        scorer = self._scorer_of(len(texts), changed=bool(changed))
        cache = self._call(scorer.empty_cache)
        for start in range(0, max(map(len, checked)) - 1, CHUNK):
            cache, scores, _ = self._call(partial(scorer.score, cache, checked, start, changed))
            yield jax.tree.map(lambda array: np.asarray(array)[: len(texts)], scores)

    def trace(
        self,
        text: str | Sequence[int],
        what: str | Iterable[str] = ("experts", "gates"),
        layers: Iterable[int] | None = None,
        heads: Iterable[tuple[int, int]] | None = None,
        top: int = 5,
        interventions: Sequence[Intervention] = (),
        progress: Callable[[int], object] | None = None,
    ) -> Trace:
        """What the model does with a text, of words or of token ids: see `Trace` for what it holds.

        The text goes through the model a chunk of CHUNK tokens at a time, and others are served
        between two chunks. Arrays of the whole text are on the host only. On each device a trace
        takes the keys and values of one text, as `score` does, and for a chunk, with D the model's
        width, V its vocabulary, S the positions of the cache, and 4 bytes a number:

        - log-probabilities: three times CHUNK x V (Grok-1: 201 MB), as `score` does; the lens, one
          layer after the other, uses that memory again
        - hidden or lens: CHUNK x D a layer, and once more (Grok-1, all layers: 204 MB)
        - attention: CHUNK x S a head (Grok-1: 4.2 MB), and CHUNK x D a layer that has one of them

        Each choice of what, layers, heads and top, with interventions and without, is compiled when
        it is first used, in the caller's thread; a few are kept.

        Args:
            what: some of "experts", "gates", "router_logits", "hidden", "lens", "attention"; with
                none of them there are only log-probabilities.
            layers: those that are looked at, ascending; None: all. Hidden states and the lens are
                of the residual streams before each of them, and of the one after the last of them.
            heads: (layer, head) of the attention to be seen, whatever `layers` says.
            top: how many tokens of the lens.
            interventions: changes of the routing; what is seen is what they make of it.
            progress: called after each chunk with how many tokens it had.

        Raises:
            RequestError: a choice is not possible, the text is empty, too long, or has what is no
                token, it takes too much memory, or several processes serve together.
            EngineEnding: see `drain`.
            EngineFailed: the engine serves no more.
        """
        watch = watch_of(self.config, what, layers, heads, top)
        ids, changed = self._check_text(self.encode(text)), tuple(interventions)
        self._check_interventions(changed)
        self._check_open()
        scorer = self._scorer_of(1, watch, bool(changed))
        made = record(scorer, ids, self._call, changed, progress)
        name = self.tokenizer.text_of if self.tokenizer else "token_id:{}".format
        return Trace(
            np.array(ids, np.int32),
            tuple(map(name, ids)),
            layers=watch.layers_of(self.config),
            heads=watch.heads,
            **made,
        )

    def _check_ids(self, ids: Sequence[int]) -> list[int]:
        if not len(ids):
            raise RequestError("the prompt is empty; expected at least one token")
        for token in ids:
            whole = isinstance(token, (int, np.integer)) and not isinstance(token, bool)
            if not whole or not 0 <= token < self.config.vocab_size:
                raise RequestError(
                    "{token!r} is no token id; expected whole numbers from 0 to {most}",
                    token=token,
                    most=self.config.vocab_size - 1,
                )
        return [int(token) for token in ids]

    def _check_text(self, ids: Sequence[int]) -> list[int]:
        """The ids of a text that is to be scored."""
        checked = self._check_ids(ids)
        self.check_length(checked)
        if self._leader:
            raise RequestError(
                "a text cannot be scored where several processes serve together, for each would "
                "need the text's own cache; serve with one process to score texts"
            )
        return checked

    def _check_interventions(self, given: tuple[Intervention, ...]) -> None:
        config = self.config
        check(given, config.num_layers, config.num_experts, config.num_selected_experts)

    def _compile_changed(self) -> None:
        """Compiles the programs for requests with interventions, the first time."""
        with self._scorer_lock:
            if not self._serves_changed:
                self._runner.compile_changed()
                self._serves_changed = True

    def _scorer_of(self, texts: int, watch: Watch = NOTHING, changed: bool = False) -> Scorer:
        """The programs for so many texts: there are some for a single text and for several."""
        with self._scorer_lock:  # so that two callers do not compile the same
            return self._scorers(1 if texts == 1 else self.scored_texts, watch, changed)


def _describe(runner: Runner) -> str:
    devices = runner.mesh.devices
    kind = devices.flat[0].device_kind
    many = f"{devices.size} {kind} devices, mesh {devices.shape[0]},{devices.shape[1]}"
    return f"{many if devices.size > 1 else kind}, {runner.dtype}"

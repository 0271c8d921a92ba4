"""From what is asked of a trace to its arrays: a text goes through the model chunk by chunk.

T tokens of the text, S positions of the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from grok_app.engine.scorer import Scorer
from grok_app.errors import RequestError
from grok_app.interventions import Intervention
from grok_app.model.config import GrokConfig
from grok_app.model.watch import WHAT, Watch


def watch_of(
    config: GrokConfig,
    what: str | Iterable[str],
    layers: Iterable[int] | None,
    heads: Iterable[tuple[int, int]] | None,
    top: int,
) -> Watch:
    """What is to be seen of a pass of the model; see `Engine.trace`.

    Raises:
        RequestError: one of them is not what can be asked.
    """
    one = isinstance(what, str) or not isinstance(what, Iterable)
    names: list[Any] = [what] if one else list(what)
    for name in names:
        if name not in WHAT:
            raise RequestError(
                "{field} has {name!r}; expected some of {known}",
                field="what",
                name=name,
                known=", ".join(WHAT),
            )
    if "attention" in names and heads is None:
        raise RequestError(
            "{field} has 'attention' but there are no heads; expected heads=[(layer, head), ...]",
            field="what",
        )
    if "attention" not in names and heads is not None:
        raise RequestError(
            "{field} is {given!r} but 'attention' is not asked for; expected both or neither",
            field="heads",
            given=heads,
        )
    return Watch(
        frozenset(names),
        None if layers is None else _layers(config, layers),
        () if heads is None else _heads(config, heads),
        _top(config, top) if "lens" in names else 0,
    )


def record(
    scorer: Scorer,
    ids: Sequence[int],
    call: Callable[[Callable[[], Any]], Any],
    interventions: tuple[Intervention, ...] = (),
    progress: Callable[[int], object] | None = None,
) -> dict[str, np.ndarray]:
    """What a scorer of one text sees of it, in arrays of the host: "logprobs" [T], the first nan,
    and by their names what it watches [..., T, ...]; of attention [heads, T, T].

    `call` runs a job when the device is free for it. On the device is only one chunk at a time,
    after which `progress` is told how many tokens it had.
    """
    length = len(ids)
    made = {"logprobs": np.full(length, np.nan, np.float32)}
    cache = call(scorer.empty_cache)
    for start in range(0, length, scorer.chunk):
        cache, scores, seen = call(partial(scorer.score, cache, [ids], start, interventions))
        following = made["logprobs"][start + 1 : start + 1 + scorer.chunk]
        following[:] = np.asarray(scores.logprob)[0, : len(following)]
        for name, array in seen.items():
            part = np.asarray(array)[:, 0, : length - start]
            if name == "attention":  # to whole cache: what follows the text is not seen
                part = part[..., :length]
            if name not in made:
                made[name] = np.empty((len(part), length, part.shape[-1]), part.dtype)
            made[name][:, start : start + scorer.chunk] = part
        if progress:
            progress(min(scorer.chunk, length - start))
    return made


def _layers(config: GrokConfig, given: Iterable[int]) -> tuple[int, ...] | None:
    """The layers; None if they are all."""
    layers, most = _tuple(given), config.num_layers - 1
    fitting = layers and all(_whole(layer, most) for layer in layers)
    if not fitting or list(layers) != sorted(set(layers)):
        raise RequestError(
            "{field} is {given!r}; expected whole numbers from 0 to {most}, each once, ascending",
            field="layers",
            given=given,
            most=most,
        )
    return tuple(map(int, layers)) if len(layers) < config.num_layers else None


def _heads(config: GrokConfig, given: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    heads = [_tuple(pair) for pair in _tuple(given)]
    layers, most = config.num_layers - 1, config.num_q_heads - 1
    fitting = heads and all(
        len(pair) == 2 and _whole(pair[0], layers) and _whole(pair[1], most) for pair in heads
    )
    if not fitting or len(set(heads)) < len(heads):
        raise RequestError(
            "{field} is {given!r}; expected pairs (layer, head), each once, of a layer from 0 to "
            "{layers} and a head from 0 to {most}",
            field="heads",
            given=given,
            layers=layers,
            most=most,
        )
    return tuple((int(layer), int(head)) for layer, head in heads)


def _top(config: GrokConfig, top: int) -> int:
    if not _whole(top, config.vocab_size) or top < 1:
        raise RequestError(
            "{field} is {given!r}; expected a whole number from {least} to {most}",
            field="top",
            given=top,
            least=1,
            most=config.vocab_size,
        )
    return int(top)


def _tuple(given: Any) -> tuple[Any, ...]:
    """What is given, one after the other; nothing if it is a single thing."""
    return tuple(given) if isinstance(given, Iterable) else ()


def _whole(number: Any, most: int) -> bool:
    """Whether it is a whole number from 0 to `most`."""
    whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    return whole and 0 <= number <= most

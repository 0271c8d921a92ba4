"""What a reply is to be: the prompt, and how its tokens are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from grok_app.chat import Persona, Prompt, Sampling, Turn, build_prompt
from grok_app.chat.prompt import LONGEST_MESSAGE
from grok_app.errors import ContextExceeded, RequestError

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine
    from grok_app.engine.request import SamplingParams


@dataclass(frozen=True)
class Wish:
    """One reply, as the engine can be asked for it; made by `chat_wish` or `text_wish`.

    Attributes:
        ids: the prompt's tokens.
        params: how the reply's tokens are chosen, and what is reported of each.
        raw: whether the reply's spaces stay as the model wrote them.
        begun: the beginning of the reply, which the prompt ends with and the model continues.
        prompt: what the ids were made of, for a reply in a conversation.
    """

    ids: Sequence[int]
    params: SamplingParams
    raw: bool = True
    begun: str = ""
    prompt: Prompt | None = None


def chat_wish(
    engine: Engine,
    persona: Persona,
    turns: Sequence[Turn],
    sampling: Sampling,
    *,
    seed: int | None = None,
    stop: Sequence[str] = (),
    facts: str = "",
    logprobs: int = 0,
    experts: bool = False,
) -> Wish:
    """A persona's reply to the last of `turns`; where that is the assistant's, its continuation.

    `stop` strings are added to the persona's own. Of `facts`, any text, the passages that match
    are taken (see `build_prompt`). Takes as long as the prompt takes to be encoded.

    Raises:
        RequestError: the message is empty or too long, a setting is out of range, or the
            checkpoint has no tokenizer.
    """
    from grok_app.engine.request import SamplingParams

    prompt = chat_prompt(engine, persona, turns, sampling.max_tokens, facts)
    params = SamplingParams(
        **asdict(replace(sampling, max_tokens=prompt.max_new_tokens)),
        stop=(*persona.stops, *stop),
        seed=seed,
        logprobs=logprobs,
        experts=experts,
    )
    begun = turns[-1].text if turns[-1].role == "assistant" else ""
    return Wish(prompt.ids, params, persona.labels is None, begun, prompt)


def chat_prompt(
    engine: Engine, persona: Persona, turns: Sequence[Turn], max_tokens: int, facts: str = ""
) -> Prompt:
    """The prompt of a `chat_wish`, to be looked at or to be asked with.

    Raises:
        RequestError: as `chat_wish`.
    """
    encode = engine.require_tokenizer().encode
    return build_prompt(persona, turns, encode, engine.context, max_tokens, facts)


def text_wish(
    engine: Engine,
    text: str | Sequence[int],
    params: SamplingParams,
    written: Sequence[int] = (),
) -> Wish:
    """The continuation of a text, given as it is or as token ids. It ends with the tokens
    `written`: as the model wrote them, for encoded anew they could be others.

    Raises:
        RequestError: there is nothing to continue, it has what is no token, or the checkpoint has
            no tokenizer for a text.
        ContextExceeded: the text is too long.
    """
    if isinstance(text, str) and len(text) > LONGEST_MESSAGE:
        raise ContextExceeded(
            "the text has {size:,} characters; at most {most:,} can be read: continue a shorter "
            "one",
            size=len(text),
            most=LONGEST_MESSAGE,
        )
    ids = [*(engine.encode(text) if text else ()), *written]
    if not ids:
        raise RequestError("there is no text to continue; write how it begins")
    engine.check_length(ids)
    return Wish(ids, params)

"""What requests and responses look like: OpenAI's fields, and vLLM's names beyond them.

A field that is not listed is refused by name; types are taken strictly, so that "1" is no number.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from grok_app.interventions import MOST_BIAS, Intervention, Kind
from grok_app.sampling import BOUNDS

MOST_N = 16
MOST_CHANGES = 256
MOST_LAYERS = 1024
MOST_STOPS = 16  # so that a persona's own find room in the engine's too
_MOST_ID = 2**31 - 1  # of a token, whatever the vocabulary

UNSUPPORTED = "unsupported"  # the type of the error of a field that is known, and not supported


def _or_unsupported(there_is: str) -> WrapValidator:
    """Refuses whatever else is given as not supported, and says what is."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            context = {"given": repr(value)[:80], "there_is": there_is}
            raise PydanticCustomError(
                UNSUPPORTED, "{given} is not supported here; {there_is}", context
            ) from None

    return WrapValidator(check)


def _bounded(name: str, least: float | None = None) -> Any:
    """The bounds of a sampling setting; `least` where it may be less than the engine takes."""
    bound = BOUNDS[name]
    return Field(ge=bound.least if least is None else least, le=bound.most)


Number = Annotated[int, Field(ge=0, le=MOST_LAYERS)]  # of a layer or an expert
Text = Annotated[str, Field(min_length=1)]
TokenId = Annotated[int, Field(ge=0, le=_MOST_ID)]
TokenIds = Annotated[list[TokenId], Field(min_length=1)]
Zero = Annotated[float, Field(ge=0, le=0), _or_unsupported("give 0, or use repetition_penalty")]


class Body(BaseModel):
    """A request's JSON."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class StreamOptions(Body):
    """How a stream ends."""

    include_usage: bool = False


class Change(Body):
    """A change of the experts that tokens go to; see `interventions.Intervention`."""

    kind: Kind
    expert: Number
    layers: Annotated[list[Number], Field(min_length=1, max_length=MOST_LAYERS)] | None = None
    to: Number | None = Field(None, description="which expert works instead, of a swap")
    by: Annotated[float, Field(ge=-MOST_BIAS, le=MOST_BIAS)] | None = Field(
        None, description="what is added to the router's logit, of a bias"
    )


class Asked(Body):
    """What a completion and a chat have in common."""

    model: str
    temperature: Annotated[float, _bounded("temperature")] | None = None
    top_p: Annotated[float, _bounded("top_p")] | None = None
    top_k: Annotated[int, _bounded("top_k", least=-1)] | None = None
    min_p: Annotated[float, _bounded("min_p")] | None = None
    repetition_penalty: Annotated[float, _bounded("repetition_penalty")] | None = None
    frequency_penalty: Zero | None = Field(None, description="not supported: 0 or nothing")
    presence_penalty: Zero | None = Field(None, description="not supported: 0 or nothing")
    seed: Annotated[int, _bounded("seed")] | None = None
    stop: Text | Annotated[list[Text], Field(max_length=MOST_STOPS)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_N)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    interventions: Annotated[list[Change], Field(max_length=MOST_CHANGES)] | None = None

    @property
    def changes(self) -> tuple[Intervention, ...]:
        """The interventions, as the engine takes them.

        Raises:
            RequestError: one says too little or too much.
        """
        return tuple(Intervention(**change.model_dump()) for change in self.interventions or ())

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end a reply."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def include_usage(self) -> bool:
        """Whether a stream is to end with its usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def sampling(self) -> dict[str, Any]:
        """The sampling settings that were given, as the engine names them."""
        names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if given.get("top_k") == -1:  # vLLM's other way to say "all"
            given["top_k"] = 0
        return given


class CompletionRequest(Asked):
    """Text to continue."""

    prompt: (
        Text
        | TokenIds
        | Annotated[list[Text], Field(min_length=1)]
        | Annotated[list[TokenIds], Field(min_length=1)]
    )
    max_tokens: Annotated[int, _bounded("max_tokens", least=0)] | None = 16
    logprobs: Annotated[int, _bounded("logprobs")] | None = None
    echo: bool | None = None

    @property
    def prompts(self) -> list[str | list[int]]:
        """The prompts, one or several."""
        given: Any = self.prompt
        many = isinstance(given, list) and not isinstance(given[0], int)
        return given if many else [given]


class TextPart(Body):
    """A part of a message that is made of parts."""

    type: Annotated[Literal["text"], _or_unsupported("the model reads 'text' only")]
    text: str


class Message(Body):
    """A message of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: str | list[TextPart]

    @property
    def text(self) -> str:
        """Its text, in one piece."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class ChatRequest(Asked):
    """A conversation to answer."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_tokens: Annotated[int, _bounded("max_tokens")] | None = None
    max_completion_tokens: Annotated[int, _bounded("max_tokens")] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, _bounded("logprobs")] | None = None


class TokenizeRequest(Body):
    """Text whose tokens are asked for."""

    model: str | None = None
    prompt: str
    add_special_tokens: bool = Field(False, description="this model has none to add")


class DetokenizeRequest(Body):
    """Tokens whose text is asked for."""

    model: str | None = None
    tokens: list[TokenId]


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The answer to a request that cannot be served."""

    error: ErrorDetail


class Usage(BaseModel):
    """What a request cost."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionLogprobs(BaseModel):
    """A list each, with an entry for every token; None for a text's first, before which is none."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One continuation, or a piece of one."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: Literal["stop", "length"] | None = None


class Completion(BaseModel):
    """The answer to a `CompletionRequest`; streamed, one of its pieces."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None


class TopLogprob(BaseModel):
    """A token that could have stood there."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    """A token of a reply, and the likeliest in its place."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """The tokens of a reply."""

    content: list[TokenLogprob]


class ReplyMessage(BaseModel):
    """A reply."""

    role: Literal["assistant"] = "assistant"
    content: str


class Delta(BaseModel):
    """What a reply grows by."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChatChoice(BaseModel):
    """One reply."""

    index: int
    message: ReplyMessage
    logprobs: ChatLogprobs | None = None
    finish_reason: Literal["stop", "length"] | None


class ChatCompletion(BaseModel):
    """The answer to a `ChatRequest`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage


class ChatChunkChoice(BaseModel):
    """A piece of one reply."""

    index: int
    delta: Delta
    logprobs: ChatLogprobs | None = None
    finish_reason: Literal["stop", "length"] | None = None


class ChatChunk(BaseModel):
    """A piece of a streamed `ChatCompletion`."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: Usage | None = None


class Model(BaseModel):
    """A model that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "grok_app"
    max_model_len: int


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]


class Tokens(BaseModel):
    """The tokens of a text."""

    tokens: list[int]
    count: int
    max_model_len: int


class Detokenized(BaseModel):
    """The text of tokens."""

    prompt: str


class TokenizerInfo(BaseModel):
    """What there is to know of the tokenizer without its file."""

    tokenizer_class: str
    vocab_size: int
    eos_token: str
    eos_token_id: int


class Health(BaseModel):
    """Whether requests are served; where they are not, why."""

    status: Literal["starting", "ready", "ending", "failed"]
    reason: str | None = None

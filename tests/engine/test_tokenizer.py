"""What a token is called."""

from grok_app.engine.tokenizer import Tokenizer
from tests.app_process import ROOT


def test_a_token_beyond_the_tokenizers_vocabulary_is_called_by_its_number() -> None:
    """A model may have more tokens than its tokenizer, and write one."""
    tokenizer = Tokenizer(ROOT / "assets" / "nano" / "tokenizer.model")
    beyond = tokenizer.vocab_size
    assert tokenizer.name_of(beyond) == f"token_id:{beyond}"
    assert tokenizer.name_of(beyond - 1) != f"token_id:{beyond - 1}"
    assert tokenizer.decode([beyond]) == ""

"""Conversations, personas, and the one function that turns both into a prompt that fits.

No JAX and no Gradio in here.
"""

from grok_app.chat.conversation import Conversation, Made
from grok_app.chat.persona import Exchange, Persona, Sampling, load_personas, read_persona
from grok_app.chat.persona_file import write_persona
from grok_app.chat.prompt import Prompt, Turn, build_prompt, neutralize

__all__ = [
    "Conversation",
    "Exchange",
    "Made",
    "Persona",
    "Prompt",
    "Sampling",
    "Turn",
    "build_prompt",
    "load_personas",
    "neutralize",
    "read_persona",
    "write_persona",
]

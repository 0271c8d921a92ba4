"""Conversations, personas, and the one function that turns both into a prompt that fits.

No JAX and no Gradio in here.
"""

from grok_app.chat.conversation import Conversation, Made, Node, Pending, Replay
from grok_app.chat.persona import Exchange, Persona, load_personas, read_persona
from grok_app.chat.persona_file import write_persona
from grok_app.chat.prompt import Prompt, Turn, build_prompt, neutralize
from grok_app.sampling import Sampling

__all__ = [
    "Conversation",
    "Exchange",
    "Made",
    "Node",
    "Pending",
    "Persona",
    "Prompt",
    "Replay",
    "Sampling",
    "Turn",
    "build_prompt",
    "load_personas",
    "neutralize",
    "read_persona",
    "write_persona",
]

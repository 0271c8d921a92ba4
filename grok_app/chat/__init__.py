"""Conversations, personas, and the one function that turns both into a prompt that fits.

No JAX and no Gradio in here.
"""

from grok_app.chat.persona import Exchange, Persona, Sampling, load_personas
from grok_app.chat.prompt import Prompt, Turn, build_prompt, neutralize

__all__ = [
    "Exchange",
    "Persona",
    "Prompt",
    "Sampling",
    "Turn",
    "build_prompt",
    "load_personas",
    "neutralize",
]

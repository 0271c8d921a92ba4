"""Who is asked in the tests of what the default model replies."""

from __future__ import annotations

import pytest

from grok_app.chat import load_personas
from tests.app_process import ROOT

PERSONAS = [persona for persona in load_personas(ROOT / "prompts") if persona.labels]
SMALL_TALK = ("Hello there.", "Hello! It is good to see you.", "Do you like music?", "Yes, I do.")

each_persona = pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.slug)
at_once_or_later = pytest.mark.parametrize("before", [(), SMALL_TALK], ids=["at once", "in a talk"])

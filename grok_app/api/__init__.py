"""The HTTP API for programs, as OpenAI's clients expect it. No Gradio and no JAX in here.

service.py      what the routes share: the engine, once it is there, and the personas
access.py       who may come in, and how much a request may weigh
app.py          puts the routes together
completions.py, chat.py, models.py, tokens.py, operations.py    the routes
schemas.py      what requests and responses look like
stream.py       replies as events; leaving.py ends those whose client is gone
logprobs.py     log-probabilities as OpenAI writes them; echo.py those of a prompt
metrics.py      the engine's counters for Prometheus
errors.py       what went wrong, in OpenAI's body
"""

from grok_app.api.access import Access, Bounded, is_loopback, read_keys
from grok_app.api.app import build_api, roots
from grok_app.api.service import Service

__all__ = ["Access", "Bounded", "Service", "build_api", "is_loopback", "read_keys", "roots"]

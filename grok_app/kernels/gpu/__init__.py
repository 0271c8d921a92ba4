"""Kernels for NVIDIA GPUs, in Pallas (Triton): for a token of each of a few rows, and for a chunk.

What a kernel's launch depends on is known when it is compiled; lengths, and which experts are
chosen, it reads on the device.
"""

from grok_app.kernels.gpu.attention import attend_token, remember
from grok_app.kernels.gpu.chunk import attend_chunk
from grok_app.kernels.gpu.experts import MOST_ROWS, few_rows_experts
from grok_app.kernels.gpu.few_rows import few_rows
from grok_app.kernels.gpu.grouped import many_rows_experts
from grok_app.kernels.gpu.norms import add_norm, add_norm_norm, norm
from grok_app.kernels.gpu.router import route
from grok_app.kernels.gpu.softmax import KEYS

__all__ = [
    "KEYS",
    "MOST_ROWS",
    "add_norm",
    "add_norm_norm",
    "attend_chunk",
    "attend_token",
    "few_rows",
    "few_rows_experts",
    "many_rows_experts",
    "norm",
    "remember",
    "route",
]

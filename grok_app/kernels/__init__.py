"""Kernels of our own, and which of them serve which platform.

Those for processors are C++, compiled from source where a compiler is at hand.
"""

from grok_app.kernels.attention import attention
from grok_app.kernels.build import build
from grok_app.kernels.grouped_matmul import grouped_matmul
from grok_app.kernels.platform import CPU, KERNELS, XLA, Platform
from grok_app.kernels.row_products import row_products

__all__ = [
    "CPU",
    "KERNELS",
    "XLA",
    "Platform",
    "attention",
    "build",
    "grouped_matmul",
    "row_products",
]

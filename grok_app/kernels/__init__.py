"""A native kernel for processors: compiled from source where a C++ compiler is at hand."""

from grok_app.kernels.build import build
from grok_app.kernels.grouped_matmul import grouped_matmul

__all__ = ["build", "grouped_matmul"]

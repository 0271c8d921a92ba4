"""Native kernels for processors: compiled from source where a C++ compiler is at hand."""

from grok_app.kernels.attention import attention
from grok_app.kernels.build import build
from grok_app.kernels.grouped_matmul import grouped_matmul
from grok_app.kernels.row_products import row_products

__all__ = ["attention", "build", "grouped_matmul", "row_products"]

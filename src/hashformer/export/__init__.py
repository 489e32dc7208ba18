"""The network as one ONNX file that describes itself, and its use without PyTorch's kernels.

The only place that imports `onnx` and `onnxruntime`, and inside functions: the extra may be missing.
"""

from hashformer.export.agree import TOLERANCE, Agreement, compare, generated_batches
from hashformer.export.file import export_model, load_graph
from hashformer.export.runtime import LoadedGraph, OnnxGraph

__all__ = [
    "TOLERANCE",
    "Agreement",
    "LoadedGraph",
    "OnnxGraph",
    "compare",
    "export_model",
    "generated_batches",
    "load_graph",
]

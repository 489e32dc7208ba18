"""From the network to the bytes of an ONNX graph: any number of items and of frames, masks for what is absent."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hashformer.errors import ExportError
from hashformer.export.names import PRESENT, check_installed, flatten
from hashformer.model import HashFormer
from hashformer.model.inputs import StreamSpec
from hashformer.types import Batch

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
"""Of the operators; the first with GELU."""
IR_VERSION = 10
"""Of the file format; onnxruntime 1.22 reads no newer one."""
_ITEMS = 2
# Sizes of 0 and 1 would be taken for constants, and equal sizes of two streams for one size.
_PATCHES = {"audio": 3, "video": 2, "landmarks": 7}


class _Flat(nn.Module):
    """The network with tensors in and tensors out: all streams, then all masks."""

    def __init__(self, model: HashFormer) -> None:
        super().__init__()
        self.model = model
        self.streams = tuple(model.specs)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        n_streams = len(self.streams)
        streams = dict(zip(self.streams, tensors[:n_streams], strict=True))
        present = dict(zip(self.streams, tensors[n_streams:], strict=True))
        return tuple(flatten(self.model(Batch(**streams, present=present))).values())


def input_names(streams: Sequence[str]) -> list[str]:
    """Of the graph: the streams, then their masks."""
    return [*streams, *(f"{PRESENT}{name}" for name in streams)]


def graph_bytes(model: HashFormer) -> bytes:
    """Write the network as an ONNX graph, weights inside.

    The number of items and, for each stream, that of its patches in time are open. Every stream has a mask
    (B, T) of where it is there; one that is absent throughout is given as zeros of one patch, masked.

    Args:
        model: In eval mode, on the CPU.

    Raises:
        SetupError: Without the packages of `hashformer[onnx]`.
        ExportError: If PyTorch cannot trace the network or has no ONNX operator for a part of it.
    """
    check_installed("onnx", "onnxscript")
    flat, (tensors, shapes) = _Flat(model), _example(model.specs)
    with torch.no_grad():
        outputs = list(flatten(model(Batch(**dict(zip(model.specs, tensors, strict=False)), present={}))))
    try:
        with _quiet(), torch.no_grad():
            # Strict: `len(tensor)` stays open. Else it would fix the number of items.
            program = torch.export.export(flat, tensors, dynamic_shapes=(shapes,), strict=True)
            exported = torch.onnx.export(
                program,
                input_names=input_names(list(model.specs)),
                output_names=outputs,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.OnnxExporterError, torch._dynamo.exc.TorchDynamoException) as error:
        raise ExportError(f"the network cannot be written as ONNX: {str(error).splitlines()[0]}") from error
    if exported is None:
        raise ExportError("the network cannot be written as ONNX: PyTorch gave no program")
    data: bytes = _plain(exported.model_proto).SerializeToString(deterministic=True)
    return data


def _example(specs: dict[str, StreamSpec]) -> tuple[tuple[Tensor, ...], tuple[dict[int, Any], ...]]:
    """Inputs to trace with, and which of their sizes are open."""
    batch = torch.export.Dim("batch", min=2)
    streams, masks, shapes = [], [], []
    for name, spec in specs.items():
        n_frames = _PATCHES[name] * spec.patch[0]
        frame = {"audio": (spec.shape[1],), "video": spec.shape, "landmarks": (spec.shape[0],)}[name]
        patches = torch.export.Dim(f"{name}_patches", min=2)
        streams.append(torch.zeros(_ITEMS, n_frames, *frame))
        masks.append(torch.ones(_ITEMS, n_frames, dtype=torch.bool))
        shapes.append({0: batch, 1: patches if spec.patch[0] == 1 else spec.patch[0] * patches})
    return (*streams, *masks), (*shapes, *shapes)


def _plain(proto: "ModelProto") -> "ModelProto":
    """Without the exporter's notes: they tell the folders of this machine, and double the size of a small file."""
    proto.ir_version = IR_VERSION
    proto.ClearField("metadata_props")
    proto.ClearField("doc_string")
    graph = proto.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what PyTorch says of its own parts from the user."""
    registry = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registry.level
    registry.setLevel(logging.ERROR)  # it misses torchvision, which nothing here needs
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        registry.setLevel(level)

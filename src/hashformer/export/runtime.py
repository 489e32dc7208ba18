"""A graph that answers batches as the network does, by onnxruntime."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashformer.config import Config
from hashformer.errors import ShapeError, WeightsError
from hashformer.export.names import PRESENT, check_installed, unflatten
from hashformer.model.calibration import Calibration, calibrated
from hashformer.model.inputs import read_streams, stream_specs
from hashformer.results import WeightsInfo
from hashformer.types import MODALITIES, Batch, ModelOutput

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]

_OF_STREAMS = ("tokens", "token_present", "pooled", "codes")
_ERRORS_ONLY = 3


class OnnxGraph:
    """The network as onnxruntime runs it: a `Batch` in, a `ModelOutput` out, on the CPU.

    Args:
        session: From `open_session`.
        config: Of the detector; it says which shapes fit.
        source: Named in errors.

    Raises:
        WeightsError: If the graph has other inputs than the config says.
    """

    def __init__(self, session: "InferenceSession", config: Config, *, source: str) -> None:
        self.specs = stream_specs(config.model)
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]
        found = {entry.name for entry in session.get_inputs()}
        wanted = {*self.specs, *(f"{PRESENT}{name}" for name in self.specs)}
        if found != wanted:
            raise WeightsError(
                f"{source}: the graph reads {', '.join(sorted(found))}, its config says {', '.join(sorted(wanted))}"
            )

    def __call__(self, batch: Batch) -> ModelOutput:
        """Judge a batch of clips; a stream that is None is judged as absent.

        A logit whose `valid` does not hold means nothing, and need not be that of PyTorch.

        Raises:
            ShapeError: If a stream has a shape that does not fit.
        """
        given = [name for name in self.specs if getattr(batch, name) is not None]
        _check(batch, self)
        n_items = len(getattr(batch, given[0]))
        feed: dict[str, NDArray[Any]] = {}
        for name in self.specs:
            values, present = self._stream(batch, name, n_items)
            feed[name], feed[f"{PRESENT}{name}"] = values, present
        found = self._session.run(self._outputs, feed)
        flat = {name: torch.from_numpy(array) for name, array in zip(self._outputs, found, strict=True)}
        return unflatten({path: tensor for path, tensor in flat.items() if _of_given(path, given)})

    def _stream(self, batch: Batch, name: str, n_items: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        values: Tensor | None = getattr(batch, name)
        if values is None:
            spec = self.specs[name]
            frame = {"audio": (spec.shape[1],), "video": spec.shape, "landmarks": (spec.shape[0],)}[name]
            n_frames = spec.patch[0]
            return np.zeros((n_items, n_frames, *frame), np.float32), np.zeros((n_items, n_frames), np.bool_)
        present = batch.present.get(name)
        mask = torch.ones(values.shape[:2], dtype=torch.bool) if present is None else present
        return values.float().contiguous().numpy(), mask.contiguous().numpy()


@dataclass(frozen=True, kw_only=True)
class LoadedGraph:
    """A graph ready to judge, and what its file says of it; `weights.LoadedModel` for onnxruntime.

    Attributes:
        model: The graph.
        config: Everything that decides a score.
        calibration: From logits to P(fake).
        info: Name and SHA-256 of the weights that were exported, and whether they were trained.
        extra: What else the maker of the weights wrote down.
        versions: Of what wrote the graph.
    """

    model: OnnxGraph
    config: Config
    calibration: Calibration
    info: WeightsInfo
    extra: dict[str, str]
    versions: dict[str, str]

    def scores(self, output: ModelOutput) -> dict[str, Tensor]:
        """Calibrated P(fake) of each head, (B,); NaN where it is not valid."""
        return calibrated(output, self.calibration)


def open_session(data: bytes, *, threads: int | None, source: str) -> "InferenceSession":
    """Have onnxruntime load a graph for the CPU.

    Args:
        data: The bytes of the ONNX file.
        threads: For one operator; as many as PyTorch uses if None.
        source: Named in errors.

    Raises:
        SetupError: Without onnxruntime.
        WeightsError: If it is no ONNX graph that onnxruntime can run.
    """
    check_installed("onnxruntime")
    import onnxruntime  # noqa: PLC0415 -- of the extra
    from onnxruntime.capi import (  # type: ignore[import-untyped]  # noqa: PLC0415
        onnxruntime_pybind11_state as raised,
    )

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads() if threads is None else threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Spinning threads fight with the face models for the cores, as those of PyTorch do: see system.share_cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    unfit = (raised.Fail, raised.InvalidProtobuf, raised.InvalidGraph, raised.InvalidArgument, raised.NotImplemented)
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except unfit as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{source}: not a graph that onnxruntime can run ({reason})") from None


def _check(batch: Batch, graph: OnnxGraph) -> None:
    """The same checks as before the network; they look at shapes alone, so that no value is touched."""
    streams: Mapping[str, Tensor | None] = {name: getattr(batch, name) for name in MODALITIES}
    shapes = {name: None if values is None else values.to("meta") for name, values in streams.items()}
    read_streams(Batch(**shapes, present={}), graph.specs)
    for name, mask in batch.present.items():
        values = streams.get(name)
        if values is not None and (mask.shape != values.shape[:2] or mask.dtype != torch.bool):
            raise ShapeError(
                f"present[{name!r}]: got {tuple(mask.shape)} {mask.dtype}, "
                f"expected {tuple(values.shape[:2])} torch.bool, one for each item and frame"
            )


def _of_given(path: str, given: list[str]) -> bool:
    field, _, name = path.partition(".")
    if field in {"where", "seen"}:
        return "video" in given
    return field not in _OF_STREAMS or name in given

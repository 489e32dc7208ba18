"""What runs the network: PyTorch, or onnxruntime."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from hashformer.config import Config
from hashformer.errors import ConfigError
from hashformer.export import load_graph
from hashformer.export.file import SUFFIX, cached_graph
from hashformer.model.calibration import Calibration
from hashformer.model.weights import LoadedModel, load_model
from hashformer.results import WeightsInfo
from hashformer.types import Batch, ModelOutput

Backend = Literal["torch", "onnxruntime"]


class Judge(Protocol):
    """What a detector needs of a model, whatever runs it."""

    @property
    def model(self) -> Callable[[Batch], ModelOutput]:
        """A batch of clips in, logits and what they rest on out."""
        ...

    @property
    def config(self) -> Config:
        """Everything that decides a score."""
        ...

    @property
    def calibration(self) -> Calibration:
        """From logits to P(fake)."""
        ...

    @property
    def info(self) -> WeightsInfo:
        """Which weights."""
        ...

    @property
    def extra(self) -> dict[str, str]:
        """What else their maker wrote down."""
        ...

    def scores(self, output: ModelOutput) -> dict[str, Tensor]:
        """Calibrated P(fake) of each head, (B,); NaN where it is not valid."""
        ...


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What was loaded.

    Attributes:
        judge: What scores clips.
        network: The same weights in PyTorch; None where only a graph was given, which cannot be looked into.
    """

    judge: Judge
    network: LoadedModel | None


def load_backend(weights: str | Path, *, backend: str = "torch", device: torch.device | str = "cpu") -> Loaded:
    """Load weights into what shall run them.

    Args:
        weights: A weight file, the name of a released one or of a preset; for onnxruntime also an ONNX file that
            `hashformer export` wrote. Other weights are exported once, into the cache.
        backend: `torch` or `onnxruntime`.
        device: Where the network runs; onnxruntime takes the CPU only, and as many threads as PyTorch is set to.

    Raises:
        ConfigError: If there is no such backend, or it cannot run there or read that file.
        SetupError: Without the packages of `hashformer[onnx]`, if they are needed.
        WeightsError: If there are no such weights, or they are broken.
        ExportError: If an export was needed and failed.
    """
    is_graph = Path(weights).suffix == SUFFIX
    if backend == "torch":
        if is_graph:
            raise ConfigError(f"{weights}: an ONNX file, which PyTorch does not run. Choose backend onnxruntime.")
        network = load_model(weights)
        network.model.to(device)
        return Loaded(judge=network, network=network)
    if backend != "onnxruntime":
        raise ConfigError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}")
    if torch.device(device).type != "cpu":
        raise ConfigError(f"backend onnxruntime runs on the CPU, got device {str(device)!r}. Choose backend torch.")
    if is_graph:
        return Loaded(judge=load_graph(weights), network=None)
    network = load_model(weights)
    return Loaded(judge=cached_graph(network), network=network)

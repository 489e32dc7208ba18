"""The ONNX file: the graph with its weights, then what it is, so that loading needs nothing else."""

import hashlib
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from hashformer.cache import atomic_path, cache_dir
from hashformer.config import Config, Settings
from hashformer.errors import ConfigError, StoreError, WeightsError
from hashformer.export.agree import Agreement, compare, generated_batches
from hashformer.export.graph import OPSET, graph_bytes
from hashformer.export.names import check_installed
from hashformer.export.runtime import LoadedGraph, OnnxGraph, open_session
from hashformer.model.calibration import Calibration
from hashformer.model.weights import LoadedModel
from hashformer.results import WeightsInfo
from hashformer.types import Batch
from hashformer.version import __version__

SUFFIX = ".onnx"
_KEY = "hashformer"
_DIGEST = "hashformer_sha256"
_FORMAT = 1
_logger = logging.getLogger(__name__)


class GraphNotes(Settings):
    """What an ONNX file says beside its graph.

    Attributes:
        format: Of these notes and of the names of inputs and outputs.
        hashformer_version: Of the package that wrote it.
        config: Everything that decides a score.
        calibration: From logits to P(fake).
        weights_name: Of the weights that were exported.
        weights_sha256: Of their file.
        trained: False: a mere initialisation, whose scores mean nothing.
        graph_bytes: How many bytes of the file are the graph; these notes follow.
        extra: What else the maker of the weights wrote down.
        versions: Of what wrote the graph.
    """

    format: int
    hashformer_version: str
    config: dict[str, Any]
    calibration: Calibration
    weights_name: str
    weights_sha256: str
    trained: bool
    graph_bytes: int = Field(ge=1)
    extra: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)


def export_model(loaded: LoadedModel, path: str | Path, *, batches: Iterable[Batch] | None = None) -> Agreement:
    """Write a model as an ONNX file, read it back and compare its answers; it appears whole and right, or not at all.

    Args:
        loaded: From `load_model`; on the CPU.
        path: Of the `.onnx` file.
        batches: Clips to compare on, beside generated ones.

    Returns:
        How far the answers lie apart.

    Raises:
        SetupError: Without the packages of `hashformer[onnx]`.
        ExportError: If the network cannot be written, or the graph answers otherwise.
        StoreError: If the file cannot be written.
    """
    check_installed("onnx", "onnxscript", "onnxruntime")
    path = Path(path)
    data = _with_notes(graph_bytes(loaded.model), loaded)
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
            graph = load_graph(temporary).model
            agreement = compare(loaded.model, graph, [*generated_batches(loaded.config.model), *(batches or ())])
            agreement.check()
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}. Name another place.") from error
    return agreement


def load_graph(path: str | Path, *, threads: int | None = None) -> LoadedGraph:
    """Load an ONNX file that `export_model` wrote.

    Args:
        path: Of the `.onnx` file.
        threads: For one operator; as many as PyTorch uses if None.

    Raises:
        SetupError: Without onnxruntime.
        WeightsError: If there is no such file, or it is damaged, foreign, or was changed since.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from None
    session = open_session(data, threads=threads, source=str(path))
    metadata = session.get_modelmeta().custom_metadata_map
    notes, config = _read_notes(path, metadata)
    if metadata.get(_DIGEST) != _digest(data[: notes.graph_bytes], metadata[_KEY]):
        raise WeightsError(f"{path}: damaged, or changed since hashformer wrote it. Export it again.")
    return LoadedGraph(
        model=OnnxGraph(session, config, source=str(path)),
        config=config,
        calibration=notes.calibration,
        info=WeightsInfo(name=notes.weights_name, sha256=notes.weights_sha256, trained=notes.trained),
        extra=notes.extra,
        versions=notes.versions,
    )


def cached_path(loaded: LoadedModel) -> Path:
    """Where in the user's cache the ONNX file of these weights belongs."""
    made_by = f"{loaded.info.sha256[:16]}-{__version__}-{_FORMAT}-torch{torch.__version__.partition('+')[0]}"
    return cache_dir("onnx") / f"{loaded.info.name}-{made_by}{SUFFIX}"


def cached_graph(loaded: LoadedModel) -> LoadedGraph:
    """Load the ONNX file of these weights from the user's cache; it is written there the first time.

    Raises:
        SetupError: Without the packages of `hashformer[onnx]`.
        ExportError: If the export fails.
    """
    path = cached_path(loaded)
    if path.is_file():
        try:
            return load_graph(path)
        except WeightsError as error:
            _logger.warning("%s; it is made again", error)
    _logger.warning("%s: exporting to ONNX, once; this takes up to a minute", loaded.info.name)
    export_model(loaded, path)
    return load_graph(path)


def _with_notes(graph: bytes, loaded: LoadedModel) -> bytes:
    """The graph, and after it the notes: of two messages end to end, a reader of ONNX makes one."""
    import onnx  # noqa: PLC0415 -- of the extra
    import onnxscript  # noqa: PLC0415

    notes = GraphNotes(
        format=_FORMAT,
        hashformer_version=__version__,
        config=loaded.config.model_dump(mode="json"),
        calibration=loaded.calibration,
        weights_name=loaded.info.name,
        weights_sha256=loaded.info.sha256,
        trained=loaded.info.trained,
        graph_bytes=len(graph),
        extra=loaded.extra,
        versions={
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxscript": onnxscript.__version__,
            "opset": str(OPSET),
        },
    ).model_dump_json()
    tail = onnx.ModelProto(producer_name="hashformer", producer_version=__version__)
    onnx.helper.set_model_props(tail, {_KEY: notes, _DIGEST: _digest(graph, notes)})
    data: bytes = graph + tail.SerializeToString(deterministic=True)
    return data


def _read_notes(path: Path, metadata: dict[str, str]) -> tuple[GraphNotes, Config]:
    if _KEY not in metadata:
        raise WeightsError(
            f"{path}: not a HashFormer graph: no {_KEY!r} in its metadata. `hashformer export` writes one."
        )
    maker = "an unknown version"
    try:
        data = json.loads(metadata[_KEY])
        maker = str(data.get("hashformer_version", maker))
        notes = GraphNotes.parse(data, source="notes")
        if notes.format != _FORMAT:
            raise ConfigError(f"format {notes.format}, this version reads {_FORMAT}")
        return notes, Config.parse(notes.config, source="config")
    except (ConfigError, json.JSONDecodeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path}: written by hashformer {maker}, this is {__version__}, which cannot read it: {reason}"
        ) from None


def _digest(graph: bytes, notes: str) -> str:
    return hashlib.sha256(graph + notes.encode()).hexdigest()

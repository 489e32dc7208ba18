"""The tiny preset, exported once: it takes longer than all that is done with it."""

import json

import onnx
import pytest

from hashformer.export import export_model, file, load_graph
from hashformer.model.weights import load_model


@pytest.fixture(scope="session")
def network():
    return load_model("tiny")


@pytest.fixture(scope="session")
def exported(network, tmp_path_factory):
    """Path of the file, and how far its answers lay from those of the network."""
    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    return path, export_model(network, path)


@pytest.fixture(scope="session")
def graph(exported):
    return load_graph(exported[0], threads=1)


@pytest.fixture
def traced(exported, monkeypatch):
    """Tracing is left out: every network has the graph of the session's file."""
    path, _ = exported
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    graph = path.read_bytes()[: json.loads(metadata["hashformer"])["graph_bytes"]]
    monkeypatch.setattr(file, "graph_bytes", lambda model: graph)

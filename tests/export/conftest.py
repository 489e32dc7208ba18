"""A tiny network with every head, exported once: that takes longer than all that is done with it."""

import json

import onnx
import pytest
import torch

from hashformer.config import load_config
from hashformer.export import export_model, file, load_graph
from hashformer.model import HashFormer
from hashformer.model.calibration import Calibration, HeadCalibration
from hashformer.model.weights import load_model, save_model

PARTS = {"depth": 1, "stem": "conv", "where_head": True, "evidence": True, "methods": ("swap", "vocoder")}


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Path of the weight file."""
    tiny = load_config("tiny")
    config = tiny.model_copy(update={"model": tiny.model.model_copy(update=PARTS)})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = HashFormer(config.model)
    path = tmp_path_factory.mktemp("weights") / "every_head.safetensors"
    calibration = Calibration(audio=HeadCalibration(scale=2.0, bias=0.5), thresholds={"0.05": 0.9})
    save_model(path, model, config=config, trained=False, calibration=calibration, extra={"note": "for tests"})
    return path


@pytest.fixture(scope="session")
def network(weights):
    return load_model(weights)


@pytest.fixture(scope="session")
def exported(network, tmp_path_factory):
    """Path of the file, and how far its answers lay from those of the network."""
    path = tmp_path_factory.mktemp("exported") / "every_head.onnx"
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

"""The file says what it is, and nothing else is taken for it."""

import json

import onnx
import pytest
import torch

from hashformer.errors import ExportError, SetupError, StoreError, WeightsError
from hashformer.export import export_model, file, load_graph, names
from hashformer.model.weights import load_model
from hashformer.types import ModelOutput
from hashformer.version import __version__


def test_the_file_needs_nothing_beside_it(exported, network, graph):
    assert graph.config == network.config
    assert graph.calibration == network.calibration
    assert graph.extra == {"note": "for tests"}
    assert graph.info == network.info
    assert not graph.info.trained
    assert graph.versions["torch"] == torch.__version__


def test_any_reader_of_onnx_reads_it(exported):
    model = onnx.load(exported[0])
    onnx.checker.check_model(model, full_check=True)
    assert (model.producer_name, model.producer_version) == ("hashformer", __version__)
    notes = json.loads({entry.key: entry.value for entry in model.metadata_props}["hashformer"])
    assert notes["trained"] is False
    assert notes["config"]["model"]["width"] == 32
    inputs = {entry.name: entry.type.tensor_type for entry in model.graph.input}
    assert set(inputs) == {"audio", "video", "landmarks", "present.audio", "present.video", "present.landmarks"}
    for name in ("audio", "video", "landmarks"):
        items, frames = inputs[name].shape.dim[:2]
        assert items.dim_param
        assert frames.dim_param
    assert {"logits.overall", "valid.sync", "codes.video", "where.value"} <= {
        entry.name for entry in model.graph.output
    }


def test_it_tells_no_folder_of_the_machine(exported):
    assert b"site-packages" not in exported[0].read_bytes()
    assert b"/hashformer/model" not in exported[0].read_bytes()


@pytest.mark.parametrize("place", [0.05, 0.5, 0.9], ids=["early", "middle", "late"])
def test_a_changed_byte_is_noticed(exported, tmp_path, place):
    data = bytearray(exported[0].read_bytes())
    data[int(len(data) * place)] ^= 1
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(data)
    with pytest.raises(WeightsError, match=r"damaged\.onnx: "):
        load_graph(damaged)


def test_changed_notes_are_noticed(exported, tmp_path):
    data = exported[0].read_bytes()
    told = data.replace(b'"trained":false', b'"trained":true ')
    assert told != data
    (tmp_path / "told.onnx").write_bytes(told)
    with pytest.raises(WeightsError, match="changed since"):
        load_graph(tmp_path / "told.onnx")


def test_half_a_file_is_refused(exported, tmp_path):
    data = exported[0].read_bytes()
    (tmp_path / "half.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match="onnxruntime"):
        load_graph(tmp_path / "half.onnx")


def test_a_foreign_graph_is_refused(tmp_path):
    info = onnx.helper.make_tensor_value_info
    ports = [info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Abs", ["x"], ["y"])], "abs", ports[:1], ports[1:])
    opset = [onnx.helper.make_opsetid("", 20)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "abs.onnx")
    with pytest.raises(WeightsError, match="not a HashFormer graph"):
        load_graph(tmp_path / "abs.onnx")


def test_what_is_no_graph_is_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("words")
    with pytest.raises(WeightsError, match=r"text\.onnx: not a graph"):
        load_graph(tmp_path / "text.onnx")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_graph(tmp_path / "none.onnx")


def test_nothing_is_left_of_an_export_that_answers_otherwise(traced, weights, tmp_path):
    other = load_model(weights)
    with torch.no_grad():
        other.model.heads.judges["audio"].out.bias += 1
    with pytest.raises(ExportError, match=r"differ by up to 1, at most 0\.0001"):
        export_model(other, tmp_path / "other.onnx")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(traced, network, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        export_model(network, tmp_path / "file" / "tiny.onnx")


def test_the_cache_is_filled_once_and_mended(traced, network, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HASHFORMER_CACHE", str(tmp_path))
    path = file.cached_path(network)
    assert network.info.sha256[:16] in path.name
    assert file.cached_graph(network).info == network.info
    made = path.stat().st_mtime_ns
    file.cached_graph(network)
    assert path.stat().st_mtime_ns == made
    assert caplog.text.count("exporting to ONNX, once") == 1
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert file.cached_graph(network).info == network.info
    assert "it is made again" in caplog.text


def test_a_missing_extra_is_named_with_its_remedy(exported, network, tmp_path, monkeypatch):
    monkeypatch.setattr(names, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match=r"onnxruntime cannot be imported.*pip install 'hashformer\[onnx\]'"):
        load_graph(exported[0])
    with pytest.raises(SetupError, match=r"onnx and onnxscript and onnxruntime cannot be imported"):
        export_model(network, tmp_path / "tiny.onnx")


def test_an_answer_survives_being_flattened():
    logits = {"overall": torch.zeros(1), "video": torch.ones(1)}
    output = ModelOutput(logits=logits, valid={}, tokens={}, token_present={}, pooled={}, codes={}, where=torch.ones(2))
    flat = names.flatten(output)
    assert list(flat) == ["logits.overall", "logits.video", "where.value"]
    assert names.unflatten(flat) == output

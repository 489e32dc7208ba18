"""A labelled folder scored by both backends gives the same table."""

import pytest
import typer
from typer.testing import CliRunner

from evaluate.corpora import write_voices
from hashformer.cli.validate import validate
from hashformer.evaluate.table import read_table


def test_both_backends_give_the_same_table(exported, weights, finder, tmp_path):
    write_voices(tmp_path / "corpus", n=4)
    app = typer.Typer()
    app.command()(validate)
    where = ["--manifest", tmp_path / "corpus" / "manifest.csv", "--base_dir", tmp_path / "corpus", "--resamples", 100]
    tables = {}
    for backend, checkpoint in (("torch", weights), ("onnxruntime", exported[0])):
        out = tmp_path / backend
        asked = [*where, "--out", out, "--checkpoint", checkpoint, "--backend", backend]
        CliRunner().invoke(app, [str(word) for word in asked])
        tables[backend], notes = read_table(out / "scores.parquet")
        assert notes.backend == backend
    ours, theirs = (table.to_pylist() for table in tables.values())
    assert len(ours) == len(theirs) > 4
    for one, other in zip(ours, theirs, strict=True):
        assert {key: value for key, value in other.items() if not isinstance(value, float)} == {
            key: value for key, value in one.items() if not isinstance(value, float)
        }
        for key, value in one.items():
            if isinstance(value, float):
                assert other[key] == pytest.approx(value, abs=1e-4), key

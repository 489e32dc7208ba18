"""Every checkpoint on every corpus; none on people that it was trained on."""

import csv
import json

import pytest
import typer
from typer.testing import CliRunner

from evaluate.corpora import voices
from hashformer.cli.transfer import transfer as command
from hashformer.data.manifest import Row, write_manifest
from hashformer.errors import EvaluationError
from hashformer.evaluate.measure import Resampling
from hashformer.evaluate.table import read_table
from hashformer.studies.overlap import shared, training_rows
from hashformer.studies.transfer import Target, Trained, transfer

QUICK = Resampling(n_resamples=100)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, finder):
    folder = tmp_path_factory.mktemp("voices")
    rows = [row for row in voices(folder, n=6) if "voice" in row.path]
    write_manifest(rows, folder / "m.csv")
    return folder, rows


def target(corpus, *, name="voices"):
    folder, rows = corpus
    return Target(name=name, rows=rows, manifest_sha256="1" * 64, base_dir=folder, prepared=None)


def person(path, who, **fields):
    return Row(path=path, label=0, identity_source=who, corpus="c", **fields)


def test_people_and_files_of_both_are_found():
    seen = [person("a", "x"), person("b", "y"), person("same", "")]
    assert shared(seen, [person("d", "y"), person("e", "z")]) == ["c:y"]
    assert shared(seen, [person("same", "")]) == ["same"]
    assert shared(seen, [Row(path="b", label=0, identity_source="y", corpus="other")]) == []


def test_a_run_has_seen_train_and_val():
    rows = [person("a", "x", split="train"), person("b", "y", split="val"), person("c", "z", split="test")]
    assert [row.path for row in training_rows(rows)] == ["a", "b"]
    assert len(training_rows([person("a", "x"), person("b", "y")])) == 2


def test_an_overlap_is_refused_before_anything_is_scored(corpus, tmp_path):
    trained = [Trained(name="one", weights="tiny", rows=[Row(path="x", label=0, identity_source="p1")])]
    with pytest.raises(
        EvaluationError, match=r"one was trained on 1 people or files of voices: ':p1'.*--allow_overlap"
    ):
        transfer(trained, [target(corpus)], tmp_path, how=QUICK)
    assert list(tmp_path.iterdir()) == []
    # Where only others are tested, nothing is shared.
    found = transfer(trained, [target(corpus)], tmp_path, how=QUICK, split="test")
    assert found["cells"]["one"]["voices"]["n_shared"] == 0


def test_the_matrix_holds_every_pair_from_its_own_table(corpus, tmp_path):
    trained = [Trained(name="known", weights="tiny", rows=[]), Trained(name="unknown", weights="tiny", rows=None)]
    tests = [target(corpus, name="a"), target(corpus, name="b")]
    found = transfer(trained, tests, tmp_path, how=QUICK)["cells"]
    assert {name: list(row) for name, row in found.items()} == {"known": ["a", "b"], "unknown": ["a", "b"]}
    assert found["known"]["a"]["n_shared"] == 0
    assert found["unknown"]["a"]["n_shared"] is None
    assert found["known"]["a"]["auc"] == found["unknown"]["b"]["auc"]
    assert found["known"]["a"]["coverage"] == {"n_files": 6, "n_scored": 6, "n_errors": 0}
    assert read_table(tmp_path / "known__a" / "scores.parquet")[1].n_files == 6


def run(corpus, *words):
    app = typer.Typer()
    app.command()(command)
    where = ["--test", f"v={corpus[0] / 'm.csv'}", "--resamples", "100"]
    return CliRunner().invoke(app, [*where, *map(str, words)], env={"COLUMNS": "160"})


def test_the_command_prints_and_writes_the_matrix(corpus, tmp_path):
    place, out = f"v={corpus[0]}", tmp_path / "out"
    done = run(corpus, "--checkpoint", "t=tiny", "--base_dir", place, "--out", out)
    assert done.exit_code == 0, done.output
    assert "on v" in done.output
    cell = json.loads((out / "transfer.json").read_text())["cells"]["t"]["v"]
    with (out / "transfer.csv").open(newline="") as file:
        lines = {line["metric"]: line for line in csv.DictReader(file)}
    assert float(lines["auc"]["value"]) == cell["auc"]["value"]
    assert f"{cell['auc']['value']:.3f}" in done.output


def test_the_command_refuses_an_overlap_unless_told(corpus, tmp_path):
    words = ("--checkpoint", "t=tiny", "--base_dir", f"v={corpus[0]}", "--trained_on", f"t={corpus[0] / 'm.csv'}")
    assert isinstance(run(corpus, *words, "--out", tmp_path).exception, EvaluationError)
    done = run(corpus, *words, "--out", tmp_path, "--allow_overlap")
    assert done.exit_code == 0
    assert "*" in done.output


@pytest.mark.parametrize("wrong", [("--checkpoint", "tiny"), ("--checkpoint", "t=tiny", "--trained_on", "x=m.csv")])
def test_wrong_use(corpus, tmp_path, wrong):
    assert run(corpus, *wrong, "--base_dir", f"v={corpus[0]}", "--out", tmp_path).exit_code == 2
    assert run(corpus, "--checkpoint", "t=tiny", "--out", tmp_path).exit_code == 2

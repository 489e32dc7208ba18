"""The validate command as a user types it."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from evaluate.corpora import write_voices
from hashformer.cli.validate import validate
from hashformer.detector import Detector
from hashformer.evaluate.table import read_table


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, finder):
    folder = tmp_path_factory.mktemp("corpus")
    write_voices(folder, n=8)
    return folder


def run(corpus, *words, base=True):
    app = typer.Typer()
    app.command()(validate)
    where = ["--base_dir", str(corpus)] if base else []
    words = ["--manifest", str(corpus / "manifest.csv"), *where, "--resamples", "100", *map(str, words)]
    return CliRunner().invoke(app, words, env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def done(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, run(corpus, "--load_from", "tiny", "--out", out, "--thresholds", "--seed", "7")


def test_a_table_for_people(done):
    _, result = done
    assert result.exit_code == 1  # two files could not be read
    assert "The weights are not trained: these scores mean nothing." in result.output
    assert "8 of 11 files gave a score (72.7%)" in result.output
    assert "1 cannot be told: the file has no picture; the sound is silent\n" in result.output
    assert "1 could not be read: " in result.output
    assert "vocoder" in result.output
    assert "Thresholds for false alarms of 1 %:" in result.output


def test_the_files_say_the_same(done):
    out, _ = done
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["video"]["auc"]["n"] == 8
    assert metrics["coverage"]["n_files"] == 11
    assert metrics["intervals"]["seed"] == 7
    assert metrics["scored"]["manifest_sha256"] == read_table(out / "scores.parquet")[1].manifest_sha256
    assert metrics["run"]["versions"]["hashformer"]
    assert metrics["thresholds"]["n"] == 4
    assert (out / "metrics.csv").read_text().startswith("of,metric,value,low,high")
    assert metrics["scored"]["weights"]["sha256"] in (out / "study.html").read_text()


def test_a_second_run_scores_nothing_again(done, corpus, monkeypatch):
    out, _ = done
    before = (out / "scores.parquet").read_bytes()
    looked = []
    real = Detector.examine
    monkeypatch.setattr(Detector, "examine", lambda self, path, **kw: looked.append(path.name) or real(self, path))
    run(corpus, "--checkpoint", "tiny", "--out", out)
    assert sorted(looked) == ["gone.wav", "text.wav"]
    assert (out / "scores.parquet").read_bytes() == before


def test_a_split_without_failures_ends_well(corpus, tmp_path, done):
    result = run(
        corpus, "--checkpoint", "tiny", "--out", tmp_path, "--split", "test", "--compare", done[0] / "scores.parquet"
    )
    assert result.exit_code == 0, result.output
    assert "AUC by video less that of tiny" in result.output or "Not compared" in result.output
    compared = json.loads((tmp_path / "metrics.json").read_text())["compared"]
    assert compared["video_auc"]["difference"] == 0.0
    assert compared["n_only_there"] == 4


def test_wrong_use(corpus, tmp_path):
    assert run(corpus, "--out", tmp_path, base=False).exit_code == 2
    assert run(corpus, "--out", tmp_path, "--limit", "-1").exit_code == 2


def test_what_is_scored_when_the_user_interrupts_is_kept(corpus, tmp_path, monkeypatch):
    def interrupted(self, path, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Detector, "examine", interrupted)
    result = run(corpus, "--checkpoint", "tiny", "--out", tmp_path)
    assert result.exit_code == 130
    assert "the same command goes on from here" in result.output


def test_help_needs_no_heavy_import():
    listing = (
        "import sys, hashformer.cli.validate; "
        "print([m for m in ('torch', 'mediapipe', 'sklearn', 'pyarrow') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

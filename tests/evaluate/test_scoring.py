"""Scoring a manifest: none lost, none twice, whatever is killed and however many processes there are."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

from evaluate.corpora import voices
from hashformer.detector import Detector
from hashformer.errors import ConfigError, EvaluationError, SetupError, WeightsError
from hashformer.evaluate import parts as parts_module
from hashformer.evaluate import scoring
from hashformer.evaluate.parts import PartWriter, finished, open_parts
from hashformer.evaluate.record import FileScores
from hashformer.evaluate.scoring import ScoreTask, score_manifest, selected
from hashformer.evaluate.table import read_table
from hashformer.evaluate.workers import score_in_processes
from hashformer.media import probe
from hashformer.preprocess.extract import extract
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import write_samples


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, finder):
    folder = tmp_path_factory.mktemp("voices")
    return folder, voices(folder)


def go(corpus, out, **kwargs):
    folder, rows = corpus
    task = kwargs.pop("task", None) or ScoreTask(weights="tiny", base_dir=folder)
    return score_manifest(rows, out, task=task, manifest_sha256=kwargs.pop("manifest_sha256", "1" * 64), **kwargs)


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """The table of one uninterrupted run in one process."""
    return go(corpus, tmp_path_factory.mktemp("whole"))


def files_of(table):
    return {r["path"]: r for r in read_table(table)[0].to_pylist() if r["level"] == "file"}


def test_every_file_has_a_row_whatever_became_of_it(corpus, whole):
    files = files_of(whole)
    assert set(files) == {row.path for row in corpus[1]}
    assert {path: f["status"] for path, f in files.items() if f["status"] != "scored"} == {
        "real/silence.wav": "cannot_tell",
        "real/text.wav": "error",
        "fake/gone.wav": "error",
    }
    assert "the sound is silent" in files["real/silence.wav"]["reason"]
    assert files["fake/gone.wav"]["reason"].startswith("fake/gone.wav: ")
    silent = [r for r in read_table(whole)[0].to_pylist() if r["path"] == "real/silence.wav" and r["level"] == "clip"]
    assert [(r["status"], r["score_overall"]) for r in silent] == [("cannot_tell", None)]


def test_a_file_scores_as_in_detection(corpus, whole, detector):
    folder, rows = corpus
    for row in rows[:3]:
        found = detector.detect(folder / row.path)
        kept = files_of(whole)[row.path]
        assert kept["score_overall"] == pytest.approx(found.score, abs=1e-6)
        assert kept["score_audio"] == pytest.approx(found.scores.audio, abs=1e-6)
        assert kept["end_s"] == found.duration_s


def test_the_table_tells_what_made_it(whole, detector):
    notes = read_table(whole)[1]
    assert notes.weights == detector.weights
    assert (notes.manifest_sha256, notes.n_files, notes.source) == ("1" * 64, 9, "media")
    assert notes.config["clip"]["fps"] == 16
    assert "highest 50%" in notes.aggregation


def test_what_was_scored_before_a_kill_is_not_scored_again(corpus, whole, tmp_path, monkeypatch):
    real, seen = ScoreTask.score, []

    def killed(self, path, detector):
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.append(path)
        return real(self, path, detector)

    monkeypatch.setattr(ScoreTask, "score", killed)
    with pytest.raises(KeyboardInterrupt):
        go(corpus, tmp_path)
    assert not (tmp_path / "scores.parquet").exists()
    part = next((tmp_path / "parts").rglob("*.jsonl"))
    part.write_bytes(part.read_bytes() + b'{"path":"real/voice 4.wav","sta')  # what a kill cut short
    again = []
    monkeypatch.setattr(ScoreTask, "score", lambda self, path, d: again.append(path) or real(self, path, d))
    table = go(corpus, tmp_path)
    assert table.read_bytes() == whole.read_bytes()
    # A file that failed is tried again; the others are not.
    assert set(seen) & set(again) == {path for path in seen if files_of(whole)[path]["status"] == "error"}
    assert set(seen) | set(again) == {row.path for row in corpus[1]}


@pytest.mark.slow
def test_two_processes_make_the_same_bytes(corpus, whole, tmp_path):
    assert go(corpus, tmp_path, workers=2).read_bytes() == whole.read_bytes()
    lines = [line for part in (tmp_path / "parts").rglob("*.jsonl") for line in part.read_text().splitlines()]
    assert sorted(json.loads(line)["path"] for line in lines) == sorted(row.path for row in corpus[1])


RANK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from evaluate.corpora import voices
from hashformer.data.manifest import read_manifest
from hashformer.evaluate.scoring import ScoreTask, score_manifest
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
rows = read_manifest(folder / "ranks.csv")
print(score_manifest(rows, out, task=ScoreTask(weights="tiny", base_dir=folder), manifest_sha256="1" * 64))
"""


@pytest.mark.slow
def test_two_ranks_gather_into_the_same_bytes(corpus, whole, tmp_path, pytestconfig):
    from hashformer.data.manifest import write_manifest

    write_manifest(corpus[1], corpus[0] / "ranks.csv")
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(corpus[0]), str(tmp_path), str(pytestconfig.rootpath / "tests")],
            env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (1, 0)
    ]
    said = [process.communicate(timeout=120)[0].strip().splitlines()[-1] for process in ranks]
    assert said == ["None", str(tmp_path / "scores.parquet")]
    assert (tmp_path / "scores.parquet").read_bytes() == whole.read_bytes()


def test_a_rank_that_stalls_is_told(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(scoring, "_STALL_S", 0.0)
    with pytest.raises(EvaluationError, match="4 files of other ranks are missing"):
        go(corpus, tmp_path)


@pytest.mark.parametrize(("rank", "world"), [("2", "2"), ("x", "2"), ("-1", "1")])
def test_an_impossible_rank(corpus, tmp_path, monkeypatch, rank, world):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world)
    with pytest.raises(EvaluationError, match="RANK"):
        go(corpus, tmp_path)


def test_scores_of_other_weights_or_another_manifest_are_not_mixed(corpus, whole):
    with pytest.raises(EvaluationError, match=r"another weights.*Name another output folder"):
        go(corpus, whole.parent, task=ScoreTask(weights="small", base_dir=corpus[0]))
    with pytest.raises(EvaluationError, match="another manifest_sha256"):
        go(corpus, whole.parent, manifest_sha256="2" * 64)
    with pytest.raises(EvaluationError, match="another split"):
        go(corpus, whole.parent, split="val")


def test_a_split_and_a_limit_choose_rows(corpus):
    rows = corpus[1]
    assert [row.split for row in selected(rows, split="test")] == ["test", "test"]
    few = selected(rows, limit=4)
    assert few == selected(list(reversed(rows)), limit=4)
    assert [row.path for row in few] == sorted(row.path for row in few)
    with pytest.raises(EvaluationError, match=r"no row of split 'train'; it has: test, val"):
        selected(rows, split="train")


def test_prepared_files_need_no_media(corpus, whole, tmp_path, detector):
    folder, rows = corpus
    for row in rows[:2]:
        info = probe(folder / row.path)
        samples = extract(folder / row.path, info, detector.config, detector._finder)
        source = Source(path=row.path, sha256="0" * 64, media=info)
        settings = PrepareSettings.of(detector.config)
        write_samples(tmp_path / "prepared" / row.path, samples, source=source, settings=settings)
    table = go(corpus, tmp_path / "out", task=ScoreTask(weights="tiny", prepared=tmp_path / "prepared"))
    files, media = files_of(table), files_of(whole)
    for row in rows[:2]:
        assert files[row.path]["score_overall"] == pytest.approx(media[row.path]["score_overall"], abs=1e-6)
    assert files[rows[2].path]["status"] == "error"
    assert "no prepared file" in files[rows[2].path]["reason"]
    assert read_table(table)[1].source == "prepared"


def test_files_prepared_otherwise_end_the_run(corpus, tmp_path, detector):
    folder, rows = corpus
    settings = PrepareSettings.of(detector.config).model_copy(update={"sample_rate_hz": 8000})
    info = probe(folder / rows[0].path)
    samples = extract(folder / rows[0].path, info, detector.config, detector._finder)
    source = Source(path=rows[0].path, sha256="0" * 64, media=info)
    write_samples(tmp_path / "prepared" / rows[0].path, samples, source=source, settings=settings)
    with pytest.raises(ConfigError, match="sample_rate_hz 8000"):
        go((folder, rows[:1]), tmp_path / "out", task=ScoreTask(weights="tiny", prepared=tmp_path / "prepared"))


def test_nowhere_to_read_from():
    with pytest.raises(EvaluationError, match="neither"):
        ScoreTask(weights="tiny")


class Dummy:
    """Stands for a detector where none is needed."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@dataclass(frozen=True)
class Deadly:
    """Dies at some files; in a worker the real thing would be a decoder's crash or a full memory."""

    stillborn: bool = False

    def detector(self):
        if self.stillborn:
            os.kill(os.getpid(), signal.SIGKILL)
        return Dummy()

    def score(self, path, detector):
        if path.startswith("bad"):
            os.kill(os.getpid(), signal.SIGKILL)
        if path.startswith("wrong"):
            raise WeightsError("no such weights")
        return FileScores(path=path, status="scored", scores={"overall": 0.5})


@pytest.mark.slow
def test_a_file_that_kills_its_process_costs_itself_alone(tmp_path):
    told = []
    paths = ["a", "bad", "c", "d"]
    score_in_processes(paths, Deadly(), tmp_path, workers=2, done=lambda: told.append(1))
    found = finished(tmp_path)
    assert {path: place.status for path, place in found.items()} == {
        path: "error" if path.startswith("bad") else "scored" for path in paths
    }
    assert len(told) == 4
    reasons = [s.reason for s in parts_module.read_back(iter(found.values())) if s.status == "error"]
    assert reasons == ["the process that read it was killed by SIGKILL"]


@pytest.mark.slow
def test_processes_that_never_start_end_the_run(tmp_path):
    with pytest.raises(SetupError, match="killed by SIGKILL before its first file, 3 times"):
        score_in_processes(["a"], Deadly(stillborn=True), tmp_path, workers=1, done=lambda: None)


@pytest.mark.slow
def test_what_a_process_cannot_go_on_from_reaches_the_caller(tmp_path):
    with pytest.raises(WeightsError, match="no such weights"):
        score_in_processes(["wrong", "b"], Deadly(), tmp_path, workers=2, done=lambda: None)


def test_an_answer_counts_more_than_a_failure_wherever_it_stands(tmp_path, detector):
    from evaluate.score_tables import notes

    folder = open_parts(tmp_path, notes())
    answers = [FileScores(path="a", status="error", reason="x"), FileScores(path="a", status="scored")]
    for order in (answers, answers[::-1]):
        with PartWriter(folder) as part:
            for answer in order:
                part.add(answer)
        assert finished(folder)["a"].status == "scored"


def test_the_weights_are_those_of_the_checkpoint(finder, corpus, tmp_path):
    with pytest.raises(WeightsError, match="nothing"):
        go(corpus, tmp_path, task=ScoreTask(weights="nothing", base_dir=corpus[0]))
    with Detector("tiny") as loaded:
        assert loaded.weights.trained is False

"""Batches: names of results, what is kept and what is done again, the table and the page."""

import csv
import json
import os
import re
import signal
import sys
from contextlib import contextmanager

import pytest

from hashformer.errors import StoreError
from hashformer.report import batch as module
from hashformer.report.batch import BatchTask, batch_jobs, run_batch
from hashformer.report.batch_page import href, to_page
from hashformer.report.batch_record import JOURNAL_NAME, BatchNotes, Journal, Row, cell, write_table
from hashformer.results import Detection, Scores, WeightsInfo

WEIGHTS = WeightsInfo(name="some", sha256="a" * 64, trained=True)
NOTES = BatchNotes(weights=WEIGHTS, options={"device": "cpu"}, threshold=0.5)


def row(name, **changes):
    facts = {"path": name, "kind": "clear", "verdict": "No sign", "status": "scored", "score": 0.25}
    return Row(name=name, **{**facts, **changes})


class FakeDetector:
    """Gives each file the score that it contains; a file with other words cannot be read."""

    def __init__(self, config):
        self.config = config
        self.n_clips = []

    def explain(self, paths, *, n_clips):
        self.n_clips.append(n_clips)
        for path in paths:
            text = path.read_text()
            if text == "no film":
                yield Detection(path=str(path), status="error", reason=f"{path}: not media", weights=WEIGHTS)
            else:
                scores = Scores(video=float(text))
                yield Detection(
                    path=str(path), status="scored", score=float(text), scores=scores, weights=WEIGHTS, sha256=sha(path)
                )


def sha(path):
    from hashformer.preprocess.prepare import sha256_of

    return sha256_of(path)


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "films"
    (folder / "deep").mkdir(parents=True)
    for name, text in {"a.mp4": "0.125", "deep/b.mp4": "0.875", "c.mp4": "no film"}.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def go(films, tmp_path, monkeypatch):
    """Runs a batch in this process; gives what became of it and the names of the files that were scored."""
    from hashformer.config import load_config

    class Here(BatchTask):
        @contextmanager
        def begin(self):
            detector = FakeDetector(load_config("tiny"))
            yield lambda job: self._score(job, detector)

    def work_here(task, jobs, *, workers):
        with task.begin() as do:
            for job in jobs:
                seen.append(job.name)
                yield do(job)

    seen = []
    monkeypatch.setattr(module, "run_work", work_here)
    monkeypatch.setattr(module, "explain_all", lambda detector, paths, **kwargs: detector.explain(paths, **kwargs))
    monkeypatch.setattr(module, "_notes", lambda task: NOTES.model_copy(update={"options": dict(task.options)}))

    def run(*, reports="none", options=None, **kwargs):
        seen.clear()
        files = sorted(films.rglob("*.mp4"))
        task = Here(weights="tiny", out=tmp_path / "out", options=options or {"device": "cpu"}, reports=reports)
        return run_batch(batch_jobs([films], files), task, workers=1, **kwargs), list(seen)

    return run


def table(folder):
    with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
        return {line["file"]: line for line in csv.DictReader(file)}


def test_every_file_is_a_document_a_row_and_an_entry_of_the_page(go, tmp_path):
    batch, _ = go(reports="suspect")
    out = tmp_path / "out"
    assert [(one.name, one.status) for one in batch.rows] == [
        ("a.mp4", "scored"),
        ("c.mp4", "error"),
        ("deep/b.mp4", "scored"),
    ]
    assert json.loads((out / "deep/b.mp4.json").read_text())["files"][0]["score"] == 0.875
    assert (out / "deep/b.mp4.report.html").is_file()
    assert not (out / "a.mp4.report.html").exists()
    rows = table(out)
    assert rows["a.mp4"]["score"] == "0.125"
    assert "not media" in rows["c.mp4"]["reason"]
    page = (out / "index.html").read_text()
    assert page.index("deep/b.mp4") < page.index("a.mp4") < page.index("c.mp4")
    assert 'href="./deep/b.mp4.report.html"' in page


def test_what_is_done_is_kept_and_errors_are_tried_again(go, films, tmp_path):
    go()
    assert go()[1] == ["c.mp4"]
    (films / "c.mp4").write_text("0.5")
    batch, seen = go()
    assert (batch.n_before, seen) == (2, ["c.mp4"])
    assert table(tmp_path / "out")["c.mp4"]["status"] == "scored"


def test_a_changed_file_is_scored_again_and_a_touched_one_is_not(go, films):
    (films / "c.mp4").unlink()
    go()
    os.utime(films / "a.mp4", ns=(1, 1))
    assert go()[1] == []
    (films / "a.mp4").write_text("0.625")
    os.utime(films / "a.mp4", ns=(2, 2))
    assert go()[1] == ["a.mp4"]


def test_a_lost_document_or_report_is_made_again(go, films, tmp_path):
    (films / "c.mp4").unlink()
    go()
    (tmp_path / "out" / "a.mp4.json").unlink()
    assert go()[1] == ["a.mp4"]
    assert go(reports="suspect")[1] == ["deep/b.mp4"]
    assert go(reports="suspect")[1] == []


def test_other_settings_are_refused_with_the_way_out(go):
    go()
    with pytest.raises(
        StoreError, match=r"holds results of settings .* Name another folder with --out, or pass --redo"
    ):
        go(options={"device": "cuda"})
    assert len(go(options={"device": "cuda"}, redo=True)[1]) == 3


def test_other_weights_are_named():
    other = NOTES.model_copy(update={"weights": WeightsInfo(name="new", sha256="b" * 64, trained=True)})
    assert other.other_than(NOTES) == "weights some (aaaaaaaaaaaa), now new (bbbbbbbbbbbb)"
    assert NOTES.other_than(NOTES) is None


def test_a_line_that_a_kill_tore_costs_its_file_alone(go, films, tmp_path):
    (films / "c.mp4").unlink()
    go()
    journal = tmp_path / "out" / JOURNAL_NAME
    journal.write_text(journal.read_text()[:-9])
    assert go()[1] == ["deep/b.mp4"]


def test_a_journal_of_another_version_is_refused(tmp_path):
    (tmp_path / JOURNAL_NAME).write_text('{"unknown": 1}\n')
    with pytest.raises(StoreError, match="damaged or of another version"):
        Journal(tmp_path, NOTES)


def test_an_interrupted_batch_keeps_and_lists_what_is_done(go, films, tmp_path, monkeypatch):
    real = FakeDetector.explain

    def interrupted(self, paths, **kwargs):
        if paths[0].name == "c.mp4":
            raise KeyboardInterrupt
        return real(self, paths, **kwargs)

    monkeypatch.setattr(FakeDetector, "explain", interrupted)
    batch, _ = go()
    assert (len(batch.rows), batch.n_left) == (1, 2)
    assert list(table(tmp_path / "out")) == ["a.mp4"]
    assert "2 files wait still" in (tmp_path / "out" / "index.html").read_text()
    monkeypatch.setattr(FakeDetector, "explain", real)
    assert go()[1] == ["c.mp4", "deep/b.mp4"]


def test_names_are_those_under_the_folder_of_all(tmp_path):
    one, two = tmp_path / "one" / "a.mp4", tmp_path / "two" / "a.mp4"
    for file in (one, two):
        file.parent.mkdir()
        file.touch()
    assert [job.name for job in batch_jobs([one.parent], [one])] == ["a.mp4"]
    assert [job.name for job in batch_jobs([one.parent, two], [one, two])] == ["one/a.mp4", "two/a.mp4"]


def test_names_that_no_file_may_have_are_made_fit(tmp_path):
    long, other = "ü" * 120 + "1.mp4", "ü" * 120 + "2.mp4"
    names = [job.name for job in batch_jobs([tmp_path], [tmp_path / long, tmp_path / other])]
    assert len(set(names)) == 2
    assert all(len(name.encode()) <= 200 for name in names)
    (job,) = batch_jobs([tmp_path], [tmp_path / os.fsdecode(b"\xff.mp4")])
    assert job.name == "\\xff.mp4"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "＝1"])
def test_no_cell_is_a_formula(text, tmp_path):
    assert cell(text).startswith("'")
    write_table([row(text, reason=text)], tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        (line,) = csv.DictReader(file)
    for written in line.values():
        assert not written.lstrip().startswith(("=", "+", "-", "@", "＝"))


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1"])
def test_no_white_space_hides_a_formula(text):
    assert cell(text)[:2] in {"\\t", "\\r", "\\n"}  # an escape, which is plain text


def test_numbers_and_plain_text_stay_as_they_are():
    assert [cell(value) for value in (0.5, None, "a-b.mp4", 3)] == [0.5, None, "a-b.mp4", 3]


def test_the_page_lets_no_name_act():
    hostile = '<img src=x onerror=alert(1)>"javascript:alert(1)\u202e.mp4'
    page = to_page([row(hostile, result=f"{hostile}.json")], notes=NOTES)
    assert "<img" not in page
    assert "\u202e" not in page
    assert re.findall(r'href="([^"]*json)"', page) == [href(f"{hostile}.json")]
    assert href("javascript:alert(1)") == "./javascript%3Aalert%281%29"


def test_the_page_names_its_script_by_hash():
    import base64
    import hashlib

    page = to_page([row("a.mp4")], notes=NOTES)
    (script,) = re.findall(r"<script>(.*)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_the_page_sorts_by_score_then_by_what_is_known():
    rows = [
        row("error", status="error", kind="unread", score=None),
        row("low", score=0.125),
        row("dark", status="cannot_tell", kind="unknown", score=None, reason="no face was found"),
        row("high", score=0.75, kind="fake"),
    ]
    page = to_page(rows, notes=NOTES)
    assert re.findall(r"<bdi>(\w+)</bdi>", page) == ["high", "low", "dark", "error"]
    assert "no face was found" in page


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(BatchTask):
    """A worker that dies at one file."""

    @contextmanager
    def begin(self):
        yield lambda job: die() if job.name == "c.mp4" else row(job.name)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_file_that_kills_its_worker_is_a_row(films, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_notes", lambda task: NOTES)
    task = Deadly(weights="tiny", out=tmp_path / "out", options={})
    batch = run_batch(batch_jobs([films], sorted(films.rglob("*.mp4"))), task, workers=2)
    lost = {one.name: one.reason for one in batch.rows if one.status == "error"}
    assert lost == {
        "c.mp4": "the worker that read it was killed by SIGKILL. Run again, with fewer workers if memory is short."
    }
    assert len(batch.rows) == 3

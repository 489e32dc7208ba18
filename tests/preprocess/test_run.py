"""Many files: all done or listed, resumable, one run at a time."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from hashformer.config import load_config
from hashformer.errors import SetupError, StoreError
from hashformer.media.crops import CropWriter
from hashformer.media.writer import write_audio
from hashformer.preprocess import prepare, run
from hashformer.preprocess.lock import LOCK_NAME, locked
from hashformer.preprocess.prepare import prepare_file
from hashformer.preprocess.record import read_record
from hashformer.preprocess.run import folder_of, preprocess_files
from hashformer.preprocess.store import DiskFullError
from make_faces import film, scene, speech_like

CONFIG = load_config("tiny")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, man):
    """Five files: a face, two faces, a wall, a voice, and one that is no film."""
    base = tmp_path_factory.mktemp("raw") / "corpus (as downloaded)"
    (base / "a b").mkdir(parents=True)
    film(base / "a b" / "man (1).mp4", [scene(picture, [(20, 40, 1.8)]) for picture in man[:12]])
    film(base / "a b" / "two.mp4", [scene(picture, [(20, 40, 1.8), (330, 40, 1.6)]) for picture in man[:12]])
    film(base / "wall.mp4", [scene(man[0], [])] * 12)
    write_audio(base / "wall.flac", speech_like(2), sample_rate_hz=16_000)
    (base / "broken.mp4").write_text("no film at all")
    return base


@pytest.fixture
def here(monkeypatch, finder):
    """Work in this process; gives the names of the files that reached the engine."""
    seen = []

    def run_here(jobs, config, *, workers):
        for job in jobs:
            seen.append(job.name)
            yield prepare_file(job, config, finder)

    monkeypatch.setattr(finder, "config", CONFIG.faces)
    monkeypatch.setattr(run, "run_pool", run_here)
    return seen


def files_of(base):
    return sorted(path for path in base.rglob("*") if path.is_file())


def go(base, out, **kwargs):
    return preprocess_files(files_of(base), base, out, config=CONFIG, **kwargs)


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def tree(out):
    """Every byte below a folder, but those of the lock."""
    files = [path for path in out.rglob("*") if path.is_file() and path.name != LOCK_NAME]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def test_every_file_is_prepared_or_listed(corpus, tmp_path, here):
    outcomes = []
    summary = go(corpus, tmp_path, on_outcome=outcomes.append)
    assert (summary.n_files, summary.n_done, summary.n_skipped, summary.n_sound_only) == (5, 4, 0, 1)
    assert summary.no_face == ["wall.mp4"]
    assert summary.coverage == 0.8
    assert summary.media_s == pytest.approx(6.5, abs=0.3)
    assert len(outcomes) == 5
    header, (name, reason) = rows(tmp_path / "failures.csv")
    assert (header, name) == (["path", "reason"], "broken.mp4")
    assert "not a video or sound file" in reason
    assert rows(tmp_path / "no_face.csv") == [["path"], ["wall.mp4"]]
    assert len(read_record(tmp_path / "a b" / "two.mp4").tracks) == 2
    # Two sources of one stem do not share a folder.
    assert read_record(tmp_path / "wall.mp4").waveform == read_record(tmp_path / "wall.flac").waveform == "wall.wav"
    assert not [path for path in tmp_path.rglob(".*") if path.name != LOCK_NAME]


def test_a_second_run_does_nothing_but_what_failed(corpus, tmp_path, here):
    go(corpus, tmp_path)
    before = tree(tmp_path)
    here.clear()
    summary = go(corpus, tmp_path)
    assert here == ["broken.mp4"]
    assert (summary.n_done, summary.n_skipped, len(summary.failures)) == (0, 4, 1)
    assert summary.no_face == ["wall.mp4"]
    assert tree(tmp_path) == before


def test_a_touched_source_is_read_but_not_prepared_again(corpus, tmp_path, here):
    raw, out = tmp_path / "raw", tmp_path / "out"
    shutil.copytree(corpus, raw)
    go(raw, out)
    os.utime(raw / "wall.mp4", ns=(1, 1))
    here.clear()
    assert go(raw, out).n_skipped == 4
    assert "wall.mp4" in here
    here.clear()
    go(raw, out)
    assert here == ["broken.mp4"]


@pytest.mark.parametrize("change", ["content", "settings", "damage"])
def test_what_changed_is_prepared_again(corpus, tmp_path, here, change):
    raw, out = tmp_path / "raw", tmp_path / "out"
    shutil.copytree(corpus, raw)
    go(raw, out)
    config = CONFIG
    if change == "content":
        shutil.copy(raw / "a b" / "two.mp4", raw / "wall.mp4")
    elif change == "settings":
        config = CONFIG.model_copy(update={"faces": CONFIG.faces.model_copy(update={"margin": 0.5})})
    else:
        (out / "wall.mp4" / "wall.wav").unlink()
    summary = preprocess_files(files_of(raw), raw, out, config=config)
    assert summary.n_done == (4 if change == "settings" else 1)
    assert len(read_record(out / "wall.mp4").tracks) == (2 if change == "content" else 0)
    assert (out / "wall.mp4" / "wall.wav").is_file()


def test_a_second_run_on_one_folder_is_refused(corpus, tmp_path, here):
    with locked(tmp_path), pytest.raises(StoreError, match=rf"another run is at work here \(process {os.getpid()} on"):
        go(corpus, tmp_path)
    assert here == []
    assert go(corpus, tmp_path).n_done == 4  # what the ended run left does not stop the next


def test_folders_must_lie_apart(corpus, tmp_path):
    with pytest.raises(StoreError, match="Name another folder"):
        go(corpus, corpus / "out")
    with pytest.raises(StoreError, match="Name another folder"):
        go(corpus, corpus)
    with pytest.raises(StoreError, match="does not lie in"):
        preprocess_files([corpus / ".." / "x.mp4"], corpus, tmp_path, config=CONFIG)
    with pytest.raises(ValueError, match="workers must be at least 1"):
        go(corpus, tmp_path, workers=0)
    assert folder_of(Path("raw/a/b.mp4"), Path("raw"), Path("out")) == Path("out/a/b.mp4")


def test_a_full_disk_stops_the_run_and_keeps_what_is_done(corpus, tmp_path, here, monkeypatch):
    write = CropWriter.write

    def full(self, crops):
        if "two.mp4" in str(self._path):
            raise OSError(28, "No space left on device")
        write(self, crops)

    with monkeypatch.context() as patch:
        patch.setattr(CropWriter, "write", full)
        with pytest.raises(DiskFullError, match=r"disk is full.* 1 of 5 files are prepared and kept"):
            go(corpus, tmp_path)
    assert sorted(path.name for path in (tmp_path / "a b").iterdir()) == ["man (1).mp4"]
    assert go(corpus, tmp_path).n_skipped == 1


def test_an_interrupted_run_leaves_the_list_of_failures(corpus, tmp_path, here):
    def stop(outcome):
        if outcome.status == "failed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(corpus, tmp_path, on_outcome=stop)
    assert [row[0] for row in rows(tmp_path / "failures.csv")] == ["path", "broken.mp4"]


def test_a_file_named_twice_is_prepared_once_and_a_missing_one_is_listed(corpus, tmp_path, here):
    files = [corpus / "wall.flac", corpus / "wall.flac", corpus / "gone.mp4"]
    summary = preprocess_files(files, corpus, tmp_path, config=CONFIG)
    assert (summary.n_files, summary.n_done) == (2, 1)
    assert summary.failures[0][0] == "gone.mp4"
    assert "no such file" in summary.failures[0][1]


def test_a_name_that_is_no_utf8_is_prepared(corpus, tmp_path, here):
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    name = os.fsdecode(b"stimme_\xfc.flac")
    shutil.copy(corpus / "wall.flac", raw / name)
    assert go(raw, out).n_done == 1
    assert read_record(out / name).source.path == "stimme_\\xfc.flac"


def test_ray_that_is_not_installed_is_named(corpus, tmp_path, monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("hashformer.preprocess.ray_engine.importlib.import_module", absent)
    with pytest.raises(SetupError, match=r"hashformer\[ray\]"):
        go(corpus, tmp_path, engine="ray")


def test_the_quick_look_does_not_read_the_source(corpus, tmp_path, here, monkeypatch):
    go(corpus, tmp_path)

    def never(path):
        raise AssertionError(path)

    monkeypatch.setattr(prepare, "sha256_of", never)
    assert go(corpus, tmp_path).n_skipped == 4
    assert np.array_equal(here[5:], ["broken.mp4"])

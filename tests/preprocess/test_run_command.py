"""The commands `preprocess` and `pack`: what they print, how they exit, what they refuse."""

import pytest
import typer
from typer.testing import CliRunner

from hashformer.cli.pack import pack
from hashformer.cli.preprocess import preprocess
from hashformer.config import load_config
from hashformer.media.writer import write_audio
from hashformer.preprocess import run
from hashformer.preprocess.prepare import prepare_file
from make_faces import film, scene, speech_like

CONFIG = load_config("tiny")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, man):
    base = tmp_path_factory.mktemp("raw") / "a (1) b"
    base.mkdir()
    film(base / "man.mp4", [scene(picture, [(20, 40, 1.8)]) for picture in man[:8]])
    film(base / "wall.mp4", [scene(man[0], [])] * 8)
    write_audio(base / "voice.flac", speech_like(1), sample_rate_hz=16_000)
    (base / "broken.mp4").write_text("no film")
    (base / "notes.txt").write_text("no media")
    return base


@pytest.fixture
def call(monkeypatch, finder):
    """Call a command with its work done in this process; gives how many workers were asked for."""
    workers_asked = []

    def run_here(jobs, config, *, workers):
        workers_asked.append(workers)
        for job in jobs:
            yield prepare_file(job, config, finder)

    monkeypatch.setattr(finder, "config", CONFIG.faces)
    monkeypatch.setattr(run, "run_pool", run_here)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(preprocess)
    app.command()(pack)

    def invoke(*args):
        return CliRunner().invoke(app, [str(arg) for arg in args])

    invoke.workers_asked = workers_asked
    return invoke


def unboxed(text):
    """An error without the frame, and the line ends, that a narrow terminal gives it."""
    return " ".join(text.replace("│", " ").split())


def test_a_corpus_is_prepared_and_packed(call, corpus, tmp_path):
    out = tmp_path / "out"
    args = ("preprocess", "--base_dir", corpus, "--output_dir", out, "--config", "tiny")
    result = call(*args, "--num_gpus", 3)
    assert result.exit_code == 1
    assert "3 of 4 files are prepared (75.0%): 3 now, 0 before; 1 failed." in result.stdout
    assert "1 show no face (no_face.csv) and 1 hold sound alone." in result.stdout
    assert "files a minute" in result.stdout
    assert "broken.mp4: " in result.stdout
    assert "run on the CPU" in result.stderr
    assert call.workers_asked == [3]
    assert call("pack", out, tmp_path / "shards").stdout.startswith("3 files in 1 shards")
    (corpus / "broken.mp4").rename(tmp_path / "broken.mp4")
    try:
        result = call(*args)
    finally:
        (tmp_path / "broken.mp4").rename(corpus / "broken.mp4")
    assert result.exit_code == 0
    assert "3 of 3 files are prepared (100.0%): 0 now, 3 before; 0 failed." in result.stdout


def test_a_manifest_chooses_the_files(call, corpus, tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("label,path\n0,voice.flac\n1,gone.mp4\n", encoding="utf-8-sig")
    args = ("preprocess", "--base_dir", corpus, "--output_dir", tmp_path / "out", "--config", "tiny")
    result = call(*args, "--manifest", manifest)
    assert result.exit_code == 1
    assert "1 of 2 files" in result.stdout
    assert "gone.mp4" in result.stdout
    manifest.write_text("file,label\nvoice.flac,0\n")
    result = call(*args, "--manifest", manifest)
    assert result.exit_code == 2
    assert "no column path" in unboxed(result.stderr)


def test_wrong_use_is_refused(call, corpus, tmp_path):
    for args in (
        ("--base_dir", tmp_path / "gone", "--output_dir", tmp_path / "out"),
        ("--base_dir", corpus, "--output_dir", tmp_path / "out", "--workers", 0),
        ("--base_dir", corpus, "--output_dir", tmp_path / "out", "--engine", "slurm"),
        ("--base_dir", corpus),
        ("--base_dir", corpus, "--output_dir", tmp_path / "out", "--manifest", tmp_path / "gone.csv"),
    ):
        assert call("preprocess", *args).exit_code == 2
    (tmp_path / "empty").mkdir()
    result = call("preprocess", "--base_dir", tmp_path / "empty", "--output_dir", tmp_path / "out")
    assert "no media files" in unboxed(result.stderr)
    assert call.workers_asked == []

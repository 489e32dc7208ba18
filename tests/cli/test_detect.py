"""The command as a user types it: output, files, exit codes."""

import json
import subprocess
import sys

import jsonschema
import pytest
from typer.testing import CliRunner

from hashformer.cli.main import app
from hashformer.media.writer import write_audio
from hashformer.report.document import json_schema
from hashformer.results import SCHEMA_VERSION
from hashformer.version import __version__
from make_faces import film, speech_like
from make_media import text_named_mp4

TINY = ["--checkpoint", "tiny"]


@pytest.fixture(scope="module")
def talking(tmp_path_factory, man, finder):
    return film(tmp_path_factory.mktemp("films") / "talking.mp4", man[:24])


@pytest.fixture
def voice(tmp_path):
    path = tmp_path / "voice.wav"
    write_audio(path, speech_like(1.5), sample_rate_hz=16_000)
    return path


def run(*words):
    return CliRunner().invoke(app, ["detect", *map(str, words), *TINY])


def test_a_summary_for_people(talking):
    done = run(talking)
    assert done.exit_code == 0
    assert "No verdict: untrained weights" in done.stdout
    assert "face 0: 0:00.0–0:0" in done.stdout
    assert "scores mean nothing" in done.stderr


def test_json_alone_on_stdout_and_it_passes_the_schema(talking, voice):
    done = run(talking, voice, "--json")
    document = json.loads(done.stdout)
    jsonschema.validate(document, json_schema())
    assert [file["status"] for file in document["files"]] == ["scored", "scored"]
    assert document["schema_version"] == SCHEMA_VERSION
    assert document["settings"]["clip"]["fps"] == 16
    assert {"path", "sha256", "status", "reason", "score", "scores", "segments", "timeline", "tracks"} <= set(
        document["files"][0]
    )


def test_documents_are_written(talking, tmp_path):
    done = run(talking, "--out", tmp_path / "new" / "folder")
    assert done.exit_code == 0
    document = json.loads((tmp_path / "new" / "folder" / "results.json").read_text())
    jsonschema.validate(document, json_schema())
    page = (tmp_path / "new" / "folder" / "report.html").read_text()
    assert document["files"][0]["sha256"] in page
    assert "data:image/jpeg;base64," in page


def test_the_flag_of_the_papers_readme(voice):
    assert run("--video_path", voice).exit_code == 0


def test_timings_name_every_stage(talking):
    done = run(talking, "--timings")
    for stage in ("decode", "detect", "landmarks", "crop", "features", "model", "all"):
        assert f"\n{stage} " in done.stdout
    assert "x real time" in done.stdout


def test_timings_stay_out_of_the_json(voice):
    done = run(voice, "--json", "--timings")
    json.loads(done.stdout)
    assert "x real time" in done.stderr


def test_a_bad_file_is_a_row_and_exit_code_1(voice, tmp_path):
    bad = text_named_mp4(tmp_path / "bad.mp4")
    done = run(bad, voice, "--json")
    assert done.exit_code == 1
    first, second = json.loads(done.stdout)["files"]
    assert (first["status"], second["status"]) == ("error", "scored")
    assert "bad.mp4" in first["reason"]
    assert "Traceback" not in done.output


def test_a_missing_file_is_a_row(tmp_path):
    done = run(tmp_path / "none.mp4")
    assert done.exit_code == 1
    assert "Could not be read" in done.stdout


def test_a_folder_is_searched_and_what_is_left_out_is_said(voice, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    voice.rename(tmp_path / "deep" / "er" / "voice.wav")
    (tmp_path / "notes.txt").write_text("no media")
    done = run(tmp_path, "--json")
    assert [file["path"].endswith("voice.wav") for file in json.loads(done.stdout)["files"]] == [True]
    assert "1 files in the folders have no name of a media file" in done.stderr


def test_a_folder_without_media_is_wrong_use(tmp_path):
    assert run(tmp_path).exit_code == 2


def test_no_file_is_wrong_use():
    assert run().exit_code == 2


def test_the_version():
    assert CliRunner().invoke(app, ["--version"]).stdout.strip() == __version__


def command(*words):
    return subprocess.run(
        [sys.executable, "-c", "from hashformer.cli.main import main; main()", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_wrong_weights_are_one_line_and_exit_code_2(voice):
    done = command("detect", voice, "--checkpoint", "nothing.safetensors")
    assert done.returncode == 2
    assert done.stderr.startswith("hashformer: nothing.safetensors: no such weight file")
    assert done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_made_costs_no_work(voice, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = command("detect", voice, "--out", tmp_path / "file", *TINY)
    assert done.returncode == 2
    assert "the results cannot be written: File exists" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_needs_no_heavy_import():
    listing = "import sys, hashformer.cli.main; print([m for m in ('torch', 'mediapipe') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_done_when_the_user_interrupts_is_kept(voice, tmp_path, monkeypatch):
    from hashformer.detector import Detector

    real = Detector.detect

    def interrupted(self, path, **kwargs):
        if "second" in str(path):
            raise KeyboardInterrupt
        return real(self, path, **kwargs)

    monkeypatch.setattr(Detector, "detect", interrupted)
    second = tmp_path / "second.wav"
    second.write_bytes(voice.read_bytes())
    done = run(voice, second, "--out", tmp_path / "out")
    assert done.exit_code == 130
    assert "1 of 2 files were not looked at" in done.stderr
    assert len(json.loads((tmp_path / "out" / "results.json").read_text())["files"]) == 1

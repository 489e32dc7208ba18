"""The verbs of the index as a user types them."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from hashformer.cli.index import app as index_app
from hashformer.errors import StoreError
from hashformer.media.writer import write_audio, write_video
from make_faces import film, speech_like
from make_media import text_named_mp4

app = typer.Typer()
app.add_typer(index_app, name="index")
TINY = ["--checkpoint", "tiny"]
N_VOICES = 24


@pytest.fixture
def here(monkeypatch, finder):
    """Code in this process: the workers themselves have their own tests."""
    from hashformer.search import coder, coding

    def run_here(work, jobs, *, workers):
        with work.begin() as do:
            for job in jobs:
                yield do(job)

    class Lent:
        def __init__(self, config):
            pass

        def __enter__(self):
            return finder

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(coder, "FaceFinder", Lent)
    monkeypatch.setattr(coding, "run_work", run_here)


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """Sounds that differ: each is speech-like noise of its own, filtered in its own way."""
    folder = tmp_path_factory.mktemp("voices")
    for number in range(N_VOICES):
        rng = np.random.default_rng(number)
        sound = speech_like(5.0)
        filtered = np.convolve(sound, rng.standard_normal(8) * np.exp(-np.arange(8) / 3), mode="same")
        steps = np.repeat(rng.uniform(0.2, 1, 50), 1600)[: len(filtered)]
        write_audio(
            folder / f"voice {number:02d}.wav",
            (0.5 * filtered * steps / np.abs(filtered).max()).astype(np.float32),
            sample_rate_hz=16_000,
        )
    return folder


def run(*words):
    return CliRunner().invoke(app, ["index", *map(str, words)])


def test_files_are_added_listed_found_and_removed(here, voices, tmp_path):
    folder = tmp_path / "index"
    done = run("add", voices, "--index", folder, *TINY)
    assert done.exit_code == 0, done.output
    assert f"{N_VOICES} files added, 0 were there" in done.stdout
    assert f"0 files added, {N_VOICES} were there" in run("add", voices, "--index", folder, *TINY).stdout

    listed = json.loads(run("list", "--index", folder, "--json").stdout)
    assert len(listed["files"]) == N_VOICES
    assert listed["weights"]["name"].startswith("tiny")
    assert "voice 03.wav" in run("list", "--index", folder).stdout

    answer = json.loads(run("search", voices / "voice 05.wav", "--index", folder, "--json", *TINY).stdout)
    first = [*answer["found"], *answer["candidates"]][0]
    assert first["name"] == "voice 05.wav"
    assert first["distance"] == 0
    assert first["query"] == first["known"]
    assert answer["n_files"] == N_VOICES

    sha256 = next(entry["sha256"] for entry in listed["files"] if entry["name"] == "voice 05.wav")
    assert "Removed voice 05.wav" in run("remove", sha256[:16], "--index", folder).stdout
    text = run("search", voices / "voice 05.wav", "--index", folder, *TINY).stdout
    assert "copy of voice 05.wav" not in text


def test_a_small_index_cannot_tell(here, voices, tmp_path):
    assert run("add", voices / "voice 00.wav", "--index", tmp_path, *TINY).exit_code == 0
    done = run("search", voices / "voice 00.wav", "--index", tmp_path, *TINY)
    assert done.exit_code == 0
    assert "Cannot tell: the index holds 1 files" in done.stdout
    assert "hashformer index fit" in done.stdout


def test_a_fitted_index_tells_with_one_file(here, voices, tmp_path):
    folder = tmp_path / "index"
    assert f"fitted to {N_VOICES} videos" in run("fit", voices, "--index", folder, *TINY).stdout
    again = run("fit", voices, "--index", folder, *TINY)
    assert isinstance(again.exception, StoreError)
    run("add", voices / "voice 07.wav", "--index", folder, *TINY)
    assert "copy of voice 07.wav" in run("search", voices / "voice 07.wav", "--index", folder, *TINY).stdout
    assert "No copy of any" in run("search", voices / "voice 08.wav", "--index", folder, *TINY).stdout


def test_what_cannot_be_coded_is_told_and_exits_1(here, voices, tmp_path):
    bad = text_named_mp4(tmp_path / "bad.mp4")
    silent = tmp_path / "silent.wav"
    write_audio(silent, np.zeros(32_000, np.float32), sample_rate_hz=16_000)
    done = run("add", bad, silent, voices / "voice 00.wav", tmp_path / "none.mp4", "--index", tmp_path / "i", *TINY)
    assert done.exit_code == 1
    assert "1 files added" in done.stdout
    for words in ("bad.mp4", "silent.wav: no face and no sound", "none.mp4"):
        assert words in done.stderr
    done = run("search", bad, "--index", tmp_path / "i", *TINY)
    assert done.exit_code == 1
    assert "bad.mp4" in done.stderr
    silent_text = run("search", silent, "--index", tmp_path / "i", *TINY).stdout
    assert "Cannot tell: nothing in the file could be coded" in silent_text


def test_other_weights_are_refused(here, voices, tmp_path):
    run("add", voices / "voice 00.wav", "--index", tmp_path, *TINY)
    done = run("search", voices / "voice 00.wav", "--index", tmp_path, "--checkpoint", "small")
    assert isinstance(done.exception, StoreError)
    assert "cannot be compared" in str(done.exception)


def test_no_index_is_named(tmp_path):
    done = run("list", "--index", tmp_path / "none")
    assert isinstance(done.exception, StoreError)
    assert "hashformer index add" in str(done.exception)


@pytest.mark.slow
def test_a_film_has_codes_of_face_and_sound_and_its_recoded_copy_is_near(man, finder, tmp_path):
    """In worker processes, as a user has it."""
    known, copy = film(tmp_path / "known.mp4", man[:24]), tmp_path / "copy.mp4"
    write_video(copy, man[:24], fps=8, crf=35)
    assert run("add", known, copy, "--index", tmp_path / "i", "--workers", 2, *TINY).exit_code == 0
    from hashformer.search.codes import hamming
    from hashformer.search.store import Store

    with Store(tmp_path / "i") as store:
        first, second = store.read()
    assert {"video", "landmarks"} <= first.streams.keys() & second.streams.keys()
    for name in ("video", "landmarks"):
        assert hamming(first.streams[name].codes, second.streams[name].codes).diagonal().mean() < 16

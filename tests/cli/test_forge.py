"""`hashformer forge` as a user types it."""

import pytest
import typer
from typer.testing import CliRunner

from hashformer.cli.forge import forge
from hashformer.data.forge.autoencoder import Autoencoder
from hashformer.data.manifest import read_manifest, write_manifest
from hashformer.errors import ConfigError
from talkers import make_talkers

app = typer.Typer()
app.command()(forge)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A manifest of five people of two splits, one of whom was not prepared."""
    root = tmp_path_factory.mktemp("prepared")
    rows = make_talkers(root, 5, splits=("train", "train", "val"))
    (root / rows[4].path / "sample.json").unlink()
    write_manifest(rows, root / "m.csv")
    return root


def run(people, *words):
    done = CliRunner().invoke(app, [str(word) for word in (people / "m.csv", "--base_dir", people, *words)])
    if isinstance(done.exception, ConfigError):
        raise done.exception
    return done


def test_a_forged_set(people, tmp_path):
    out = tmp_path / "set"
    # The drawn people hum, which `small` does not take for speech.
    words = ("--out", out, "--per-clip", 2, "--kinds", "resynthesis, vocoder_griffin_lim", "--max-seconds", 2)
    words += ("--config", "base")
    done = run(people, *words)
    assert done.exit_code == 0, done.output
    assert "1 of 5 real files were not prepared and are left out, real/person 4.mp4 for one." in done.stderr
    assert "4 real clips and 8 forgeries of them, from 4 files: 4 now, 0 before" in done.stdout
    assert "  resynthesis: 4\n" in done.stdout
    rows = read_manifest(out / "manifest.csv")
    assert {row.method for row in rows} == {"real", "resynthesis", "vocoder_griffin_lim"}
    assert {row.split for row in rows} == {"train", "val"}
    again = run(people, *words)
    assert "0 now, 4 before" in again.stdout
    limited = run(people, "--out", tmp_path / "one", "--limit", 1, "--kinds", "resynthesis")
    assert "1 real clips and 1 forgeries" in limited.stdout


def test_a_file_that_cannot_be_read_is_listed_and_ends_with_1(people, tmp_path):
    root = tmp_path / "prepared"
    write_manifest(make_talkers(root, 2), root / "m.csv")
    (root / "real/person 1.mp4/sample.json").write_text("{}")
    done = run(root, "--out", tmp_path / "set", "--kinds", "resynthesis")
    assert done.exit_code == 1
    assert "0 allow none, 1 failed" in done.stdout
    assert "  real/person 1.mp4: " in done.stdout
    assert len(read_manifest(tmp_path / "set" / "manifest.csv")) == 2


def test_an_autoencoder_is_trained_on_the_training_split_and_drawn(people, tmp_path):
    file = tmp_path / "faces.safetensors"
    done = run(people, "--train-autoencoder", file, "--steps", 2)
    assert done.exit_code == 0, done.output
    assert "Trained 2 steps on the faces in 3 real files." in done.stdout  # of four that were prepared, one validates
    Autoencoder.load(file)
    words = ("--out", tmp_path / "set", "--limit", 1)
    done = run(people, *words, "--autoencoder", file, "--kinds", "neural_resynthesis")
    assert "  neural_resynthesis: 1\n" in done.stdout
    with pytest.raises(ConfigError, match="autoencoder names no file"):
        run(people, *words, "--kinds", "neural_resynthesis")


def test_wrong_words(people, tmp_path):
    done = run(people, "--out", tmp_path / "set", "--kinds", "swap")
    assert done.exit_code == 2
    assert "'swap' is no forgery" in done.stderr
    done = run(people)
    assert done.exit_code == 2
    assert "--train-autoencoder" in done.stderr

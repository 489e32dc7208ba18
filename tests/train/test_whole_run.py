"""From films to a detector: prepare, pretrain, train with forgeries, judge."""

import csv

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from hashformer import Detector
from hashformer.cli.pretrain import pretrain
from hashformer.cli.train import train
from hashformer.config import load_config
from hashformer.config.forge import ForgeryChances
from hashformer.data.manifest import Row, write_manifest
from hashformer.model.weights import load_model
from hashformer.preprocess.run import preprocess_files
from make_faces import clip_frames, film, scene

N_PEOPLE = 6
# Kinds that a crop of 32 pixels allows, of every sort: picture, lips, sound.
KINDS = ("face_blend", "resynthesis", "mouth_splice", "sound_shift", "sound_swap_other", "vocoder_griffin_lim")
app = typer.Typer()
app.command()(pretrain)
app.command()(train)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, sample_clip, finder):
    """Films of people who differ in place, light and colour; prepared for preset `tiny`. Gives root and manifest."""
    folder = tmp_path_factory.mktemp("corpus")
    pictures = clip_frames(sample_clip, fps=16)[:56]
    files = []
    for person in range(N_PEOPLE):
        tint = np.array([1.0, 0.8 + 0.05 * person, 1.1 - 0.07 * person])
        shown = (scene(np.clip(p * tint, 0, 255).astype(np.uint8), [(60 + 30 * person, 30, 1.6)]) for p in pictures)
        files.append(film(folder / "raw" / f"{person}.mp4", shown, fps=16))
    preprocess_files(files, folder / "raw", folder / "prepared", config=load_config("tiny"))
    rows = [Row(path=f"{person}.mp4", label=0, identity_source=f"p{person}") for person in range(N_PEOPLE)]
    write_manifest(rows, folder / "m.csv")
    return folder


def logged(log_dir, name):
    with (log_dir / "logs" / "csv" / "part_0" / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def command(verb, corpus, log_dir, *more):
    chances = [f"forge.chances.{name}=0" for name in ForgeryChances.model_fields if name not in KINDS]
    changes = [part for change in (*chances, "forge.span_s=2", "run.log_every=1") for part in ("--set", change)]
    fixed = ["--base_dir", corpus / "prepared", "--manifest", corpus / "m.csv", "--recipe", "tiny", "--device", "cpu"]
    result = CliRunner().invoke(app, [verb, *map(str, [*fixed, "--log_dir", log_dir, *changes, *more])])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result


@pytest.mark.slow
@pytest.mark.assets
def test_from_films_of_real_people_to_a_detector(corpus, tmp_path):
    command("pretrain", corpus, tmp_path / "pre")
    before = logged(tmp_path / "pre", "train/loss")
    assert len(before) == 30
    assert np.mean(before[-5:]) < np.mean(before[:5])
    result = command("train", corpus, tmp_path / "fine", "--load_from", tmp_path / "pre" / "weights.safetensors")
    classified = logged(tmp_path / "fine", "train/cls")
    assert len(classified) == 60
    assert np.mean(classified[-20:]) < np.mean(classified[:10])
    assert len(logged(tmp_path / "fine", "val/auc")) == 3
    weights = tmp_path / "fine" / "weights.safetensors"
    assert str(weights) in result.output.replace("\n", "")
    loaded = load_model(weights)
    assert loaded.info.trained
    assert set(loaded.calibration.thresholds) == {"0.01", "0.05", "0.1"}
    assert loaded.extra["val_split"] == "made here, by identity"
    assert int(loaded.extra["train_people"]) + int(loaded.extra["val_people"]) == N_PEOPLE
    with Detector(weights) as detector:
        found = detector.detect(corpus / "raw" / "0.mp4")
    assert found.status == "scored"
    assert not any("not trained" in warning for warning in found.warnings)


@pytest.mark.slow
@pytest.mark.assets
def test_a_smoke_run_is_short(corpus, tmp_path):
    command("train", corpus, tmp_path, "--limit", 2, "--set", "run.batch_size=4")
    assert len(logged(tmp_path, "train/loss")) == 2

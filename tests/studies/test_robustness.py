"""The study of perturbations: what is run, what is kept, what is computed, on sound files and on a face."""

import csv
import json

import numpy as np
import pytest
import typer
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from hashformer.cli.robustness import robustness
from hashformer.clock import Stopwatch
from hashformer.config import Config
from hashformer.data.manifest import Row, write_manifest
from hashformer.errors import ConfigError, EvaluationError
from hashformer.evaluate.measure import Resampling
from hashformer.evaluate.scoring import ScoreTask
from hashformer.evaluate.table import read_table
from hashformer.evaluate.view import view
from hashformer.media import probe
from hashformer.media.audio import blocks
from hashformer.media.video import frames
from hashformer.media.writer import write_audio
from hashformer.perturb import KINDS, Perturbation
from hashformer.preprocess.extract import extract
from hashformer.studies.robustness import literature_mean, measure_levels, plan, score_levels
from make_faces import film, scene, speech_like

CONFIG = Config()
QUICK = Resampling(n_resamples=100)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Eight voices, every second one fake, and a text that is called a sound."""
    folder = tmp_path_factory.mktemp("voices")
    rows = []
    for i in range(8):
        path = f"voice {i}.wav"
        write_audio(folder / path, speech_like(1.5, seed=i) * (0.3 + i / 20), sample_rate_hz=16_000)
        rows.append(Row(path=path, label=i % 2, audio_fake=bool(i % 2), method="vocoder" if i % 2 else "real"))
    (folder / "text.wav").write_text("no sound")
    rows.append(Row(path="text.wav", label=0))
    write_manifest(rows, folder / "manifest.csv")
    return folder, rows


@pytest.fixture(scope="module")
def scored(corpus, tmp_path_factory):
    """Two kinds at two levels with the untrained tiny model."""
    folder, rows = corpus
    out = tmp_path_factory.mktemp("study")
    perturbations = plan(["gain", "white-noise"], [1, 5])
    task = ScoreTask(weights="tiny", base_dir=folder)
    return out, score_levels(rows, out, perturbations, task=task, manifest_sha256="0" * 64)


def test_the_plan_holds_every_kind_and_level():
    assert len(plan()) == sum(len(grid.levels) for grid in KINDS.values())
    assert [str(p) for p in plan(["corrupted-run"], [3, 5], seed=2)] == ["corrupted-run, level 3, seed 2"]
    with pytest.raises(ConfigError, match="no perturbation 'fog'"):
        plan(["fog"])
    with pytest.raises(ConfigError, match="levels 1 to 3, none of them"):
        plan(["corrupted-run"], [5])


def test_every_level_has_a_table_that_says_what_it_is_of(scored):
    _, tables = scored
    notes = {read_table(path)[1].perturbation for path in tables.values()}
    assert notes == {"", *(f"{kind}, level {level}, seed 0" for kind in ("gain", "white-noise") for level in (1, 5))}
    for path in tables.values():
        files = view(read_table(path)[0], "file")
        assert list(files.texts["status"]).count("scored") == 8
        assert list(files.texts["status"]).count("error") == 1


def test_perturbed_scores_are_other_scores(scored):
    _, tables = scored
    scores = {str(p): view(read_table(path)[0], "file").usable.scores for p, path in tables.items()}
    assert len({scores.tobytes() for scores in scores.values()}) == len(tables)


def test_what_is_scored_is_not_scored_again(corpus, scored, monkeypatch):
    folder, rows = corpus
    out, tables = scored
    before = {path: path.read_bytes() for path in tables.values()}
    asked = []
    original = ScoreTask.score
    monkeypatch.setattr(ScoreTask, "score", lambda self, path, d: asked.append(path) or original(self, path, d))
    again = score_levels(
        rows, out, list(tables)[1:], task=ScoreTask(weights="tiny", base_dir=folder), manifest_sha256="0" * 64
    )
    assert again == tables
    assert set(asked) == {"text.wav"}, "only what could not be read is tried again"
    assert {path: path.read_bytes() for path in again.values()} == before


def test_the_numbers_are_those_of_the_tables(scored):
    _, tables = scored
    measured = measure_levels(tables, QUICK)
    assert [kind.kind for kind in measured] == ["gain", "white-noise"]
    clean = view(read_table(tables[None])[0], "file").usable
    clean_auc = roc_auc_score(clean.labels, clean.scores)
    for kind in measured:
        assert [level.level for level in kind.levels] == [0, 1, 5]
        for level in kind.levels[1:]:
            files = view(read_table(tables[Perturbation(kind.kind, level.level)])[0], "file").usable
            auc = roc_auc_score(files.labels, files.scores)
            assert level.auc.value == pytest.approx(auc)
            assert level.drop.value == pytest.approx(clean_auc - auc)
            assert (level.n_files, level.n_scored) == (9, 8)
            assert level.n_unchanged == 0
            assert level.parameter == KINDS[kind.kind].levels[level.level - 1]
        assert kind.mean_auc == pytest.approx(np.mean([level.auc.value for level in kind.levels[1:]]))
    assert literature_mean(measured) is None


def test_files_that_a_kind_does_not_reach_are_counted(corpus, tmp_path):
    folder, rows = corpus
    task = ScoreTask(weights="tiny", base_dir=folder)
    tables = score_levels(rows[:4], tmp_path, plan(["block-wise"], [5]), task=task, manifest_sha256="0" * 64)
    [kind] = measure_levels(tables, QUICK)
    assert (kind.levels[1].n_unchanged, kind.levels[1].n_scored) == (4, 4), "sound has no picture to spoil"
    assert kind.levels[1].drop.value == 0


def test_chance_is_another_in_every_file_but_the_same_in_every_run():
    task = ScoreTask(weights="tiny", base_dir="x", perturbation=Perturbation("white-noise", 3, 7))
    seeds = [task._perturbation_of(path).seed for path in ("a.wav", "b.wav", "a.wav")]
    assert seeds[0] == seeds[2] != seeds[1]


def test_prepared_files_cannot_be_perturbed(tmp_path):
    with pytest.raises(EvaluationError, match="prepared files hold crops"):
        ScoreTask(weights="tiny", prepared=tmp_path, perturbation=Perturbation("gain", 1))


def test_the_command_writes_numbers_and_a_page(corpus, tmp_path):
    folder, _ = corpus
    app = typer.Typer()
    app.command()(robustness)
    args = ["--manifest", folder / "manifest.csv", "--base_dir", folder, "--out", tmp_path / "out"]
    args += ["--checkpoint", "tiny", "--kinds", "gain,low-pass", "--levels", "1,5", "--resamples", "100"]
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    assert result.exit_code == 1, result.output  # one file cannot be read
    document = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert document["kinds"]["gain"]["levels"][2]["parameter"] == -24
    assert document["kinds"]["low-pass"]["levels"][1]["auc"]["n"] == 8
    rows = list(csv.DictReader((tmp_path / "out" / "robustness.csv").open()))
    assert [row["level"] for row in rows] == ["0", "1", "5"] * 2
    page = (tmp_path / "out" / "study.html").read_text()
    assert "low-pass, level 5" in page
    assert "2 kHz" in page
    listed = CliRunner().invoke(app, [*map(str, args[:6]), "--kinds", "list"])
    assert listed.exit_code == 0
    assert all(kind in listed.output for kind in KINDS)


def test_whole_frames_are_spoiled_before_faces_are_found(tmp_path, man, finder):
    """The face goes through the same path: its crop is that of the spoiled frame, at the spoiled frame's size."""
    path = film(tmp_path / "talk.mp4", [scene(rgb, [(100, 60, 1.6)]) for rgb in man[:12]])

    def prepared(perturbation):
        return list(extract(path, probe(path), CONFIG, finder, perturbation=perturbation))

    clean, grey, again = prepared(None), prepared(Perturbation("saturation", 5)), prepared(Perturbation("gain", 0))
    crops = grey[0].tracks[0].crops
    assert np.ptp(clean[0].tracks[0].crops.astype(int), axis=1).max() > 30
    assert np.ptp(crops.astype(int), axis=1).max() <= 1, "grey from edge to edge"
    assert np.array_equal(again[0].tracks[0].crops, clean[0].tracks[0].crops)
    assert np.array_equal(grey[0].waveform, clean[0].waveform)
    expected = next(
        finder.follow(
            Perturbation("saturation", 5).pictures(frames(path, fps=16), fps=16), fps=16, stopwatch=Stopwatch()
        )
    )
    assert np.array_equal(crops[0], expected.faces[0].pixels)


def test_sound_is_spoiled_in_the_same_path(tmp_path, finder):
    write_audio(tmp_path / "hum.wav", speech_like(9.0), sample_rate_hz=16_000)
    perturbation = Perturbation("white-noise", 4, 5)
    samples = extract(tmp_path / "hum.wav", probe(tmp_path / "hum.wav"), CONFIG, finder, perturbation=perturbation)
    given = np.concatenate([sample.waveform for sample in samples])
    source = blocks(tmp_path / "hum.wav", sample_rate_hz=16_000)
    expected = np.concatenate([block.samples for block in perturbation.sound(source, sample_rate_hz=16_000)])
    assert np.array_equal(given[: len(expected)], expected)

"""What a detector must beat: statistics of files, an offset of lips and sound, and tables beside them."""

import csv
import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from evaluate.corpora import voices
from evaluate.score_tables import row, scored, table
from hashformer.cli.baselines import baselines as command
from hashformer.config import load_config
from hashformer.data.manifest import Row, write_manifest
from hashformer.errors import EvaluationError
from hashformer.evaluate.measure import Resampling
from hashformer.evaluate.metrics import roc_auc
from hashformer.evaluate.record import FileScores
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import write_samples
from hashformer.results import MediaInfo
from hashformer.studies.baselines import compare_answers, offset_baseline, statistics_baselines, table_answers
from hashformer.studies.file_statistics import USED_NUMBERS, USED_WORDS, gather_facts, left_out_scores
from hashformer.studies.offset import Offset, best_offset, mouth_opening, offset_score
from hashformer.timebase import Window
from hashformer.types import FaceTrack, Sample

CONFIG = load_config("tiny")
FPS = CONFIG.clip.fps
QUICK = Resampling(n_resamples=100)


def babble(n_frames, seed=0):
    """What a mouth does while it speaks, 0–1."""
    return np.convolve(np.random.default_rng(seed).uniform(0, 1, n_frames + 2), np.ones(3) / 3, "valid")


def faces(opening, track_id=0):
    size = CONFIG.faces.size_px
    landmarks = np.full((len(opening), 478, 2), size / 2, np.float32)
    landmarks[:, 33, 0], landmarks[:, 263, 0] = size * 0.3, size * 0.7
    landmarks[:, 14, 1] += (opening * size * 0.1).astype(np.float32)
    return FaceTrack(
        track_id=track_id,
        window=Window(0, len(opening), FPS),
        crops=np.full((len(opening), 3, size, size), 90, np.uint8),
        landmarks=landmarks,
        boxes=np.tile(np.array([0, 0, 100, 120], np.float32), (len(opening), 1)),
    )


def prepare(root, path, opening, *, spoken=None, lag=0, others=()):
    """A prepared file whose sound is as loud as `spoken` is open, `lag` frames later; None for no sound."""
    n_samples = len(opening) * CONFIG.clip.sample_rate_hz // FPS
    waveform = None
    if spoken is not None:
        level = np.repeat(np.roll(spoken, lag) ** 2, CONFIG.clip.sample_rate_hz // FPS)
        waveform = (0.3 * level * np.random.default_rng(1).normal(0, 1, n_samples)).astype(np.float32)
    sample = Sample(
        window=Window(0, len(opening), FPS),
        sample_rate_hz=CONFIG.clip.sample_rate_hz,
        waveform=waveform,
        waveform_present=None if waveform is None else np.ones(n_samples, np.bool_),
        picture_present=np.ones(len(opening), np.bool_),
        tracks=(faces(opening), *(faces(other, 1 + i) for i, other in enumerate(others))),
    )
    media = MediaInfo(container="mp4", duration_s=None, size_bytes=1, video=None, audio=None)
    source = Source(path=path, sha256="0" * 64, media=media)
    write_samples(root / path, [sample], source=source, settings=PrepareSettings.of(CONFIG))


@pytest.mark.parametrize("lag", [-12, -3, 0, 5, 16])
def test_the_offset_is_found(lag):
    opening = babble(80)
    later = np.roll(opening, lag)
    found = best_offset(opening.astype(np.float32), later.astype(np.float32), fps=FPS)
    assert found.lag_s == lag / FPS
    assert found.peak == pytest.approx(1, abs=1e-5)
    assert found.score == pytest.approx(abs(lag) / FPS / 2, abs=1e-5)


def test_gaps_are_passed_over_and_too_little_is_no_offset():
    opening = babble(80).astype(np.float32)
    holes = opening.copy()
    holes[[3, 20, 21, 22, 60]] = np.nan
    assert best_offset(holes, np.roll(opening, 4), fps=FPS).lag_s == 4 / FPS
    assert best_offset(opening[: FPS - 1], opening[: FPS - 1], fps=FPS) is None
    assert best_offset(np.ones(80, np.float32), opening, fps=FPS) is None
    assert Offset(1.0, -0.2).score == 1
    assert Offset(0.0, 1.0).score == 0


def test_the_opening_does_not_depend_on_the_size_of_the_face():
    landmarks = faces(babble(20)).landmarks
    landmarks[4] = np.nan
    opening = mouth_opening(landmarks)
    assert np.isnan(opening[4])
    np.testing.assert_allclose(mouth_opening(3 * landmarks), opening, rtol=1e-5)


def test_a_prepared_file_is_judged_by_the_face_that_speaks(tmp_path):
    mouth, other = babble(80), babble(80, seed=7)
    prepare(tmp_path, "in sync.mp4", mouth, spoken=mouth)
    prepare(tmp_path, "late.mp4", mouth, spoken=mouth, lag=8)
    prepare(tmp_path, "two.mp4", other, spoken=mouth, others=[mouth])
    prepare(tmp_path, "silent.mp4", mouth)
    prepare(tmp_path, "short.mp4", mouth[:10], spoken=mouth[:10])
    rows = [Row(path=name, label=0) for name in ("in sync.mp4", "late.mp4", "two.mp4", "silent.mp4", "short.mp4")]
    found = offset_baseline([*rows, Row(path="gone.mp4", label=0)], tmp_path)
    assert found["in sync.mp4"].scores["overall"] < 0.1
    assert found["late.mp4"].scores["overall"] == pytest.approx(found["in sync.mp4"].scores["overall"] + 0.25, abs=0.02)
    assert found["two.mp4"].scores["overall"] < 0.1
    assert (found["silent.mp4"].scores, found["silent.mp4"].reason) == ({}, "no sound: nothing to compare")
    assert "less than 1 s" in found["short.mp4"].reason
    assert (found["gone.mp4"].status, found["gone.mp4"].reason) == ("error", "was not prepared")
    (tmp_path / "late.mp4" / "track_000" / "landmarks.npy").write_bytes(b"broken")
    broken = offset_baseline(rows[1:2], tmp_path)["late.mp4"]
    assert broken.status == "error"
    assert str(tmp_path) not in broken.reason
    assert offset_score("in sync.mp4", tmp_path) == found["in sync.mp4"]


def facts(**given):
    return {**dict.fromkeys(USED_NUMBERS), **dict.fromkeys(USED_WORDS), "size_bytes": 1e6} | given


def corpus(n=40):
    """As many real files, and fakes by two generators; a person in each two."""
    rng = np.random.default_rng(0)
    rows = [
        row(f"{i}.mp4", int(i >= n), method="real" if i < n else f"g{i % 2}", identity_source=f"p{i // 2}")
        for i in range(2 * n)
    ]
    return rows, {r.path: facts(size_bytes=float(rng.uniform(1e5, 1e6))) for r in rows}


def auc(rows, found):
    return roc_auc([r.label for r in rows], [found[r.path].scores["overall"] for r in rows]).value


def test_a_shortcut_that_all_generators_share_is_found():
    rows, known = corpus()
    for r in rows:
        known[r.path]["fps"] = 25.0 if r.label else 30.0
    assert auc(rows, left_out_scores(rows, known, [r.path for r in rows])) == 1


def test_what_marks_one_generator_alone_is_not_carried_over():
    rows, known = corpus()
    for i, r in enumerate(rows):
        known[r.path]["duration_s"] = {"real": 5.0, "g0": 1.0, "g1": 25.0}[r.method] + i / 100
    # Who knows long fakes alone takes the short ones for real, and the other way round.
    assert auc(rows, left_out_scores(rows, known, [r.path for r in rows])) < 0.3


def test_people_of_the_test_are_not_trained_on():
    rng = np.random.default_rng(3)
    rows, known = [], {}
    for person in range(24):  # each has a file size of their own, and by chance one label
        for k in range(6):
            path, label = f"{person}-{k}.mp4", person % 2
            rows.append(row(path, label, method=f"g{k % 2}" if label else "real", identity_source=f"p{person}"))
            known[path] = facts(container=f"camera {person}", size_bytes=float(rng.uniform(1e5, 1e6)))
    found = statistics_baselines(rows, known, {})
    assert auc(rows, found["file_statistics"]) < 0.7
    assert auc(rows, found["file_statistics_known_people"]) > 0.95


def test_too_few_files_and_one_generator():
    rows, known = corpus()
    with pytest.raises(EvaluationError, match="40 fake and 0 real files"):
        left_out_scores(rows[40:], known, [r.path for r in rows[40:]])
    alone = [row(r.path, r.label) for r in rows]
    found = left_out_scores(alone, known, [r.path for r in rows])
    assert {answer.status for answer in found.values()} == {"cannot_tell"}
    assert "no fakes of other generators" in found["0.mp4"].reason


def test_facts_of_files_and_of_their_faces(tmp_path):
    rows = voices(tmp_path / "media", n=2)
    prepare(tmp_path / "prepared", rows[0].path, babble(20), spoken=babble(20))
    known, unreadable = gather_facts(rows, tmp_path / "media", tmp_path / "prepared", workers=1)
    assert known[rows[0].path]["face_px"] == 100
    assert known[rows[0].path]["sharpness"] >= 0
    assert known[rows[1].path]["face_px"] is None
    assert known[rows[1].path]["container"] == "wav"
    assert unreadable.keys() == {"real/text.wav", "fake/gone.wav"}
    assert gather_facts(rows[:1], tmp_path / "media", None)[0][rows[0].path]["sharpness"] is None


def answers(rows, scores):
    return {
        r.path: FileScores(path=r.path, status="scored", scores={"overall": s})
        if s is not None
        else FileScores(path=r.path, status="cannot_tell", reason="why")
        for r, s in zip(rows, scores, strict=True)
    }


def film(path, label, **fields):
    return row(path, label, video_fake=bool(label), **fields)


def test_parts_and_differences():
    rows = [
        *(film("a", 0, corpus="x", identity_source="p"), film("b", 1, corpus="x", method="m", original="a")),
        *(film("c", 0, corpus="y", identity_source="q"), film("d", 1, corpus="z", method="n")),
        *(row("e.wav", 0, corpus="s", audio_fake=False), row("f.wav", 1, corpus="s", audio_fake=True, method="v")),
    ]
    found = compare_answers(
        rows,
        {"base": answers(rows, [0.9, 0.1, 0.5, 0.4, None, 0.5]), "net": answers(rows, [0.1, 0.8, 0.2, 0.9, 0.3, 0.7])},
        tables=["net"],
        how=QUICK,
    )
    base, net = (found["detectors"][name] for name in ("base", "net"))
    sizes = [(name, part["n_real"], part["n_fake"]) for name, part in net["parts"].items()]
    general = [("overall", 3, 3), ("picture", 2, 2), ("sound alone", 1, 1), ("same source", 2, 2), ("pairs", 1, 1)]
    assert sizes == [*general, ("method m", 2, 1), ("method n", 2, 1), ("method v", 1, 1), ("in common", 2, 3)]
    assert (base["n_scored"], net["n_scored"]) == (5, 6)
    assert net["parts"]["overall"]["auc"]["value"] == 1
    assert base["parts"]["pairs"]["auc"]["value"] == 0
    assert base["pairs"]["fake_scores_higher"]["value"] == 0
    assert base["parts"]["sound alone"]["auc"]["value"] is None
    assert found["against"].keys() == {"base"}
    against = found["against"]["base"]["net"]
    assert (against["n"], against["auc_table"]) == (5, 1)
    assert against["difference"] == pytest.approx(1 - against["auc_baseline"])


def test_tables_of_other_files_are_refused(tmp_path):
    table(tmp_path, [(row("a", 0), scored("a", 0.2)), (row("b", 1), scored("b"))])
    path = tmp_path / "scores.parquet"
    found = table_answers(path, [row("a", 0), row("b", 1), row("c", 1)])
    assert found["a"].scores == {"overall": 0.2}
    assert (found["b"].status, found["b"].scores) == ("cannot_tell", {})
    assert found["c"].reason == "is not in the table"
    with pytest.raises(EvaluationError, match="labels a otherwise"):
        table_answers(path, [row("a", 1)])
    with pytest.raises(EvaluationError, match="none of the manifest's files"):
        table_answers(path, [row("x", 1)])


def test_the_command_prints_and_writes_one_table(tmp_path):
    rows = [r for r in voices(tmp_path / "media", n=12) if "voice" in r.path]
    rows = [row(r.path, r.label, audio_fake=bool(r.label), method=f"m{i % 4 // 2}") for i, r in enumerate(rows)]
    rows = [row(r.path, 0, audio_fake=False) if not r.label else r for r in rows]
    write_manifest(rows, tmp_path / "m.csv")
    table(tmp_path, [(r, scored(r.path, 0.2 + 0.5 * r.label + i / 100)) for i, r in enumerate(rows)])
    app = typer.Typer()
    app.command()(command)
    places = {"manifest": "m.csv", "base_dir": "media", "prepared": "prepared", "out": "out"}
    options = [word for name, place in places.items() for word in (f"--{name}", str(tmp_path / place))]
    words = [*options, "--scores", f"net={tmp_path / 'scores.parquet'}", "--resamples", "100"]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "AUC of net less that of file_statistics, 12 files" in done.output
    found = json.loads((tmp_path / "out" / "baselines.json").read_text())
    assert found["detectors"]["net"]["parts"]["overall"]["auc"]["value"] == 1
    assert found["detectors"]["audio_video_offset"]["n_scored"] == 0
    with (tmp_path / "out" / "baselines.csv").open(newline="") as file:
        lines = {(line["detector"], line["part"]): line for line in csv.DictReader(file)}
    assert float(lines["net", "overall"]["value"]) == 1
    assert lines["audio_video_offset", "overall"]["value"] == ""
    clash = CliRunner().invoke(app, [*options, "--scores", f"file_statistics={tmp_path / 'scores.parquet'}"])
    assert clash.exit_code == 2

"""Metrics of hand-made score tables: which rows count for what."""

import csv
import json

import numpy as np
import pytest

from evaluate.score_tables import clip, failed, row, scored, table
from hashformer.config import TimelineConfig
from hashformer.data.manifest import FakeSegment
from hashformer.errors import EvaluationError
from hashformer.evaluate.groups import LEAST_REALS
from hashformer.evaluate.measure import Resampling
from hashformer.evaluate.metrics import roc_auc
from hashformer.evaluate.spans import proposals
from hashformer.evaluate.summary import compare, set_thresholds, summarise, write_metrics
from hashformer.evaluate.view import linked, view
from hashformer.timebase import Window
from hashformer.timeline import ClipScore

QUICK = Resampling(n_resamples=100)


def corpus():
    """Ten files: four real, four of one method, one of another, two of the eleven without a score."""
    files = [(row(f"real/{i}.mp4", 0, identity_source=f"p{i}"), s) for i, s in enumerate((0.1, 0.2, 0.3, 0.6))]
    files += [(row(f"swap/{i}.mp4", 1, identity_source=f"p{i}"), s) for i, s in enumerate((0.5, 0.7, 0.8, 0.9))]
    files += [(row("voice/0.wav", 1, method="voice"), 0.15)]
    made = [(entry, scored(entry.path, score)) for entry, score in files]
    made += [(row("swap/broken.mp4", 1), failed("swap/broken.mp4")), (row("real/mute.mp4", 0), scored("real/mute.mp4"))]
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return table(tmp_path_factory.mktemp("table"), corpus())


@pytest.fixture(scope="module")
def metrics(made):
    return summarise(*made, how=QUICK)


def test_the_metrics_are_those_of_the_files_that_have_a_score(metrics):
    labels, scores = [0] * 4 + [1] * 5, [0.1, 0.2, 0.3, 0.6, 0.5, 0.7, 0.8, 0.9, 0.15]
    entry = metrics["video"]["auc"]
    assert entry["value"] == pytest.approx(roc_auc(labels, scores).value)
    assert entry["n"] == 9
    assert entry["low"] < entry["value"] < entry["high"]
    assert metrics["clip"]["auc"]["n"] == 18
    assert metrics["clip"]["auc"]["value"] == pytest.approx(entry["value"])
    assert metrics["video"]["accuracy"]["value"] == pytest.approx(7 / 9)
    assert metrics["video"]["accuracy_at_stored_threshold"]["threshold"] == 0.5


def test_clips_of_one_video_are_drawn_together(metrics):
    """Two equal clips of each video make nothing surer."""
    for end in ("low", "high"):
        assert metrics["clip"]["auc"][end] == pytest.approx(metrics["video"]["auc"][end])


def test_what_gave_no_score_is_counted_and_held_against_the_detector(metrics):
    coverage = metrics["coverage"]
    assert (coverage["n_files"], coverage["n_scored"], coverage["cannot_tell"], coverage["error"]) == (11, 9, 1, 1)
    assert coverage["reasons"] == {"cannot_tell": {"the sound is silent": 1}, "error": {"cannot be opened": 1}}
    assert coverage["by_label"]["fake"] == {"n_files": 6, "n_scored": 5}
    assert coverage["methods_not_covered"]["swap"] == {"n_files": 5, "n_scored": 4}
    worse = metrics["video_failures_as_errors"]
    assert worse["accuracy"]["value"] == pytest.approx(7 / 11)
    assert worse["auc"]["n"] == 11
    assert worse["auc"]["value"] < metrics["video"]["auc"]["value"]


def test_a_method_is_compared_with_the_real_files(metrics):
    swap, voice = metrics["per_method"]["swap"], metrics["per_method"]["voice"]
    assert swap["auc"]["value"] == pytest.approx(15 / 16)
    assert (swap["n_fake"], swap["n_real"], swap["n_scored"]) == (5, 5, 8)
    assert voice["auc"]["value"] == pytest.approx(1 / 4)
    assert set(metrics["per_method"]) == {"swap", "voice"}


def test_an_undefined_metric_is_null_with_a_reason(metrics):
    for entry in metrics["heads"]["sync"]["video"].values():
        assert entry["value"] is None
        assert "no samples" in entry["reason"]
    assert metrics["localisation"]["ap_0.5"]["reason"] == "the manifest gives no fake segments"
    assert "no fake names an original" in metrics["pairs"]["fake_scores_higher"]["reason"]


def test_the_files_are_written_and_hold_the_same(metrics, tmp_path):
    write_metrics(metrics, tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["video"]["auc"] == metrics["video"]["auc"]
    with (tmp_path / "metrics.csv").open(newline="") as file:
        lines = {(line["of"], line["metric"]): line for line in csv.DictReader(file)}
    assert float(lines["video", "auc"]["value"]) == metrics["video"]["auc"]["value"]
    assert float(lines["per_method / voice", "auc"]["value"]) == 0.25
    assert lines["heads / sync / video", "auc"]["value"] == ""


def test_heads_have_labels_of_their_own(tmp_path):
    flags = {"a": (0, 0), "b": (0, 1), "c": (1, 0), "d": (1, 1)}
    files = [
        (
            row(f"{name}{i}.mp4", int(any(flag)), video_fake=bool(flag[0]), audio_fake=bool(flag[1])),
            scored(f"{name}{i}.mp4", 0.5, video=0.2 + 0.6 * flag[0], audio=0.9 - 0.6 * flag[1]),
        )
        for name, flag in flags.items()
        for i in range(2)
    ]
    metrics = summarise(*table(tmp_path, files), how=QUICK)
    assert metrics["heads"]["video"]["video"]["auc"]["value"] == 1.0
    assert metrics["heads"]["audio"]["video"]["auc"]["value"] == 0.0
    assert metrics["video"]["auc"]["value"] == 0.5
    ways = metrics["four_ways"]
    assert [ways[name]["n_files"] for name in ("RVRA", "RVFA", "FVRA", "FVFA")] == [2, 2, 2, 2]
    assert ways["FVFA"]["auc"]["n"] == 4


def test_the_sound_of_a_window_counts_once_for_its_head(tmp_path):
    faces = [clip(0, 0, overall=0.2, audio=0.4), clip(0, 1, overall=0.6, audio=0.4), clip(8, 0, overall=0.1, audio=0.3)]
    found, _ = table(tmp_path, [(row("a.mp4", 0, audio_fake=False), scored("a.mp4", 0.6, *faces))])
    assert sorted(view(found, "clip", "audio").scores) == [0.3, 0.4]
    assert len(view(found, "clip").scores) == 3


def test_reals_of_the_same_corpus_and_streams_are_taken(tmp_path):
    files = [(row(f"x/{i}", 0, corpus="x", audio_fake=False), scored(f"x/{i}", 0.9)) for i in range(2)]
    files += [(row(f"y/{i}", 0, corpus="y", audio_fake=False), scored(f"y/{i}", 0.1)) for i in range(10)]
    files += [(row(f"y/v{i}", 0, corpus="y", video_fake=False), scored(f"y/v{i}", 0.8)) for i in range(2)]
    files += [(row(f"y/f{i}", 1, corpus="y", audio_fake=True), scored(f"y/f{i}", 0.5)) for i in range(2)]
    files += [(row(f"z/f{i}", 1, corpus="z", method="other"), scored(f"z/f{i}", 0.5)) for i in range(2)]
    metrics = summarise(*table(tmp_path, files), how=QUICK)
    swap, other = metrics["per_method"]["swap"], metrics["per_method"]["other"]
    assert (swap["reals"], swap["n_real"], swap["auc"]["value"]) == ("same corpus and streams", 10, 1.0)
    assert (other["reals"], other["n_real"]) == ("all", 14)
    assert metrics["per_corpus"]["y"]["reals"] == "its own"


def test_one_real_file_of_the_same_corpus_decides_nothing(tmp_path):
    files = [(row(f"x/{i}", 0, corpus="x"), scored(f"x/{i}", 0.9)) for i in range(LEAST_REALS - 1)]
    files += [(row("y/0", 0, corpus="y"), scored("y/0", 0.1)), (row("y/f", 1, corpus="y"), scored("y/f", 0.5))]
    swap = summarise(*table(tmp_path, files), how=QUICK)["per_method"]["swap"]
    assert (swap["reals"], swap["n_real"]) == ("all", 10)
    assert swap["auc"]["value"] == pytest.approx(0.1)


def test_pairs_compare_each_fake_with_its_original(tmp_path):
    files = [(row(f"r{i}", 0), scored(f"r{i}", s)) for i, s in enumerate((0.1, 0.5, 0.9))]
    files += [(row(f"f{i}", 1, original=f"r{i}"), scored(f"f{i}", s)) for i, s in enumerate((0.2, 0.5, 0.8))]
    files += [(row("g", 1, original="elsewhere"), scored("g", 0.0))]
    found = summarise(*table(tmp_path, files), how=QUICK)["pairs"]
    assert found["n_pairs"] == 3
    assert found["fake_scores_higher"]["value"] == pytest.approx(0.5)
    assert found["fake_scores_higher"]["low"] <= 0.5 <= found["fake_scores_higher"]["high"]
    assert found["auc"]["n"] == 6


def test_groups_are_told_apart(tmp_path):
    files = [
        (row(f"{name}{i}", i % 2, groups={"age": name}, language="ko"), scored(f"{name}{i}", (i % 2) * sign + 0.5))
        for name, sign in (("old", 0.4), ("young", -0.4))
        for i in range(4)
    ]
    found = summarise(*table(tmp_path, files), how=QUICK)["per_group"]
    assert found["age"]["old"]["auc"]["value"] == 1.0
    assert found["age"]["young"]["auc"]["value"] == 0.0
    assert found["language"]["ko"]["auc"]["value"] == 0.5


def test_people_who_share_a_file_are_one_unit():
    names = linked(["a;b", "c", "b;d", "c", "", ""], list("uvwxyz"))
    assert len({names[0], names[2]}) == 1
    assert names[1] == names[3] != names[0]
    assert len(set(names)) == 4


def test_intervals_by_people_say_so_if_nobody_is_named(tmp_path):
    files = [(row(f"{i}", i % 2), scored(f"{i}", i / 10)) for i in range(8)]
    entry = summarise(*table(tmp_path, files), how=QUICK)["video"]["auc"]
    assert entry["identity_low"] is None
    assert entry["identity_reason"] == "the manifest names nobody"
    assert entry["low"] is not None


def test_asvspoof_has_its_own_numbers_and_says_what_is_lacking(tmp_path):
    files = [(row(f"{i}", i % 2, corpus="asvspoof2019"), scored(f"{i}", i % 2 * 0.5 + 0.2)) for i in range(6)]
    found = summarise(*table(tmp_path, files), how=QUICK)["asvspoof"]
    assert found["eer"]["value"] == 0.0
    assert found["min_tdcf"]["value"] is None
    assert "official speaker verifier" in found["min_tdcf"]["reason"]


def test_fake_seconds_are_found_on_the_timeline(tmp_path):
    scores = [0.1, 0.1, 0.9, 0.9, 0.1, 0.1]
    clips = [clip(16 * i, 0, overall=score) for i, score in enumerate(scores)]
    fake = row("f.mp4", 1, fake_segments=(FakeSegment(2.0, 3.0, "video"), FakeSegment(2.5, 4.0, "audio")))
    files = [(fake, scored("f.mp4", 0.9, *clips)), (row("r.mp4", 0), scored("r.mp4", 0.1))]
    found = summarise(*table(tmp_path, files), how=QUICK)["localisation"]
    assert found["ap_0.95"]["value"] == pytest.approx(1.0)
    assert found["ar_5"] == {"value": 1.0, "n": 1}


def test_proposals_hold_each_stretch_once_with_the_mean_of_its_seconds():
    clips = [
        ClipScore(window=Window(16 * i, 16, 16), track_id=0, scores={"overall": s})
        for i, s in enumerate((0.2, 0.8, 0.6))
    ]
    found = proposals(clips, TimelineConfig(merge_gap_s=0.0))
    assert found == [(0, 3, pytest.approx(1.6 / 3)), (1, 2, pytest.approx(0.8)), (1, 3, pytest.approx(0.7))]


def test_thresholds_let_so_many_real_files_pass(made):
    found = set_thresholds(made[0])
    assert found["n"] == 4
    assert found["fpr_10"]["threshold"] > 0.6
    assert found["fpr_10"]["tpr"] == pytest.approx(3 / 5)


def test_thresholds_of_the_weights_are_tried(tmp_path):
    found = summarise(*table(tmp_path, corpus(), thresholds={"0.05": 0.55}), how=QUICK)["stored_thresholds"]["0.05"]
    assert (found["threshold"], found["value"]) == (0.55, pytest.approx(6 / 9))
    assert (found["fpr"], found["tpr"]) == (0.25, pytest.approx(3 / 5))


def test_two_tables_are_compared_on_the_files_that_both_scored(made, tmp_path):
    rng = np.random.default_rng(0)
    files = [
        (r, scored(r.path, float(rng.random())) if s.status == "scored" else s)
        for r, s in corpus()
        if r.path != "voice/0.wav"
    ]
    table(tmp_path, files)
    found = compare(made[0], tmp_path / "scores.parquet", how=QUICK)
    assert (found["video_auc"]["n"], found["n_only_here"], found["n_only_there"]) == (8, 1, 0)
    assert found["video_auc"]["auc_a"] == pytest.approx(15 / 16)
    assert found["video_auc"]["difference"] == pytest.approx(15 / 16 - found["video_auc"]["auc_b"])


def test_tables_of_other_files_are_not_compared(made, tmp_path):
    table(tmp_path, [(row("else.mp4", 1), scored("else.mp4", 0.5))])
    with pytest.raises(EvaluationError, match="no scored file in common"):
        compare(made[0], tmp_path / "scores.parquet")

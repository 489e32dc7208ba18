"""After training: calibration that does not take the validation split for the world, and thresholds on files."""

import math

import numpy as np
import pytest

from hashformer.config.train import load_recipe
from hashformer.timebase import Window
from hashformer.train.finish import calibrate, portable
from hashformer.train.scores import JudgedClip, file_table, gathered, known, validation_metrics
from hashformer.types import HEADS

RNG = np.random.default_rng(0)


def judged(row_idx, label, logit, *, kind="", start=0, heads=HEADS):
    return JudgedClip(
        row_idx=row_idx,
        kind=kind,
        window=Window(start, 16, 16),
        track_id=0,
        method=kind or "real",
        logits=dict.fromkeys(heads, logit),
        labels=dict.fromkeys(HEADS, float(label)),
    )


def split(n_real, n_fake):
    """Real logits round −1, fake ones round 1, equally spread: at 0 both are equally likely."""
    reals = [judged(i, 0, float(RNG.normal(-1, 1))) for i in range(n_real)]
    return reals + [judged(i, 1, float(RNG.normal(1, 1)), kind="puppet") for i in range(n_fake)]


def test_weights_carry_no_folder_of_their_maker():
    recipe = load_recipe("small", "finetune", ["forge.autoencoder=/home/someone/faces.safetensors"])
    assert portable(recipe).forge.autoencoder == "faces.safetensors"
    assert "/home" not in portable(recipe).to_yaml()
    assert portable(load_recipe("small", "finetune")).forge.autoencoder == ""


@pytest.mark.parametrize("n_fake", [400, 4000])
def test_scores_do_not_depend_on_how_many_fakes_the_split_holds(n_fake):
    fit = calibrate(split(400, n_fake), 0.5).overall
    # The optimal score of a logit x is sigmoid(2 x) for equally frequent classes.
    assert fit.scale == pytest.approx(2, abs=0.35)
    assert fit.bias == pytest.approx(0, abs=0.35)


def test_thresholds_keep_their_false_alarms_on_the_split():
    clips = split(200, 200)
    calibration = calibrate(clips, 0.5)
    labels, scores = known(file_table(clips, 0.5, calibration), "overall")
    reals = np.array(scores)[np.array(labels) == 0]
    for rate, threshold in calibration.thresholds.items():
        assert (reals >= threshold).mean() <= float(rate)
    assert list(calibration.thresholds) == ["0.01", "0.05", "0.1"]


def test_a_head_with_one_class_stays_as_it_is(caplog):
    clips = [judged(i, 0, 3.0, heads=("audio",)) for i in range(3)]
    fitted = calibrate(clips, 0.5)
    assert (fitted.audio.scale, fitted.audio.bias) == (1, 0)
    assert "audio is not calibrated: the validation split holds 3 real and 0 fake clips" in caplog.text


def test_what_more_can_be_judged_does_not_make_a_clip_more_suspect():
    """The same people with and without sound: real ones score alike, and one forged part is enough."""
    clips = []
    for i in range(800):
        parts = {"video": i % 2, "audio": i // 2 % 2, "sync": 0}
        logits = {part: float(RNG.normal(2 * label - 1, 1)) for part, label in parts.items()}
        truth = {**{part: float(label) for part, label in parts.items()}, "overall": float(any(parts.values()))}
        clips.append(judged(i, 0, 0.0)._replace(logits={**logits, "overall": 0.0}, labels=truth))
    fitted = calibrate(clips, 0.5, of_parts=True)
    assert set(fitted.among_real) == {"video", "audio", "sync"}

    def mean_real(heads):
        real = [clip for clip in clips if clip.labels["overall"] == 0]
        seen = [clip._replace(logits={name: clip.logits[name] for name in (*heads, "overall")}) for clip in real]
        return np.mean([file.scores["overall"] for file in file_table(seen, 0.5, fitted)])

    alone, together = mean_real(["video"]), mean_real(["video", "audio", "sync"])
    assert together == pytest.approx(alone, abs=0.1)
    forged = judged(0, 1, 0.0)._replace(logits={"video": -1.0, "audio": 3.0, "sync": -1.0, "overall": 0.0})
    clean = forged._replace(row_idx=1, logits={"video": -1.0, "audio": -1.0, "sync": -1.0, "overall": 0.0})
    found = file_table([forged, clean], 0.5, fitted)
    assert found[0].scores["overall"] > 0.6
    assert found[1].scores["overall"] < 0.4


def test_a_part_whose_own_forgeries_are_hard_to_tell_counts_no_less():
    clips = []
    for i in range(600):
        video = float(RNG.normal(0, 0.2)) + 0.05 * (i % 2)  # forgeries made here: hardly told
        audio = float(RNG.normal(0, 2)) + 6.0 * (i % 2)
        clip = judged(i, i % 2, 0.0, kind="puppet" if i % 2 else "")
        clips.append(clip._replace(logits={"video": video, "audio": audio, "sync": 0.0, "overall": 0.0}))
    fitted = calibrate(clips, 0.5, of_parts=True)
    assert fitted.among_real["video"].scale == pytest.approx(5, rel=0.1)
    assert fitted.among_real["audio"].scale == pytest.approx(0.5, rel=0.1)
    assert "sync" not in fitted.among_real  # no spread to measure by

    def score(video, audio):
        clip = clips[0]._replace(logits={"video": video, "audio": audio, "overall": 0.0})
        return file_table([clip], 0.5, fitted)[0].scores["overall"]

    # Four spreads above real clips are as suspect in either.
    assert score(0.8, 0.0) == pytest.approx(score(0.0, 8.0), abs=0.03)
    assert score(0.8, 0.0) > score(0.0, 0.0) + 0.1


def test_without_fakes_the_overall_logit_is_that_of_the_network():
    clips = [judged(i, 0, float(RNG.normal())) for i in range(50)]
    fitted = calibrate(clips, 0.5, of_parts=True)
    assert fitted.among_real == {}
    assert (fitted.overall.scale, fitted.overall.bias) == (1, 0)


def test_sound_that_does_not_fit_is_taken_for_rare():
    clips = [judged(i, i % 2, float(RNG.normal(i % 2, 1)), heads=("audio", "sync")) for i in range(400)]
    clips = [clip._replace(logits=clip.logits | {"sync": clip.logits["audio"]}) for clip in clips]
    fitted = calibrate(clips, 0.5)
    assert fitted.sync.scale == pytest.approx(fitted.audio.scale, rel=0.3)
    assert fitted.sync.bias == pytest.approx(fitted.audio.bias - math.log(9), abs=0.4)


def test_a_file_is_its_most_suspect_clips_and_each_forgery_a_file():
    clips = [judged(7, 0, -2.0), judged(7, 0, 2.0, start=8), judged(7, 1, 4.0, kind="puppet")]
    real, forged = file_table(clips, 0.5)
    assert (real.kind, forged.kind) == ("", "puppet")
    assert real.scores["overall"] == pytest.approx(1 / (1 + math.exp(-2)))
    assert (real.labels["overall"], forged.labels["overall"]) == (0, 1)


def test_clips_that_two_devices_judged_count_once():
    clips = [judged(1, 0, 0.5), judged(0, 1, 1.0), judged(1, 0, 0.5)]
    assert [clip.row_idx for clip in gathered(clips)] == [0, 1]


def test_what_is_undefined_is_left_out_of_the_log():
    clips = [judged(0, 0, -1.0), judged(1, 0, -2.0)]
    metrics = validation_metrics(clips, file_table(clips, 0.5))
    assert "val/auc" not in metrics
    assert metrics["val/loss"] > 0

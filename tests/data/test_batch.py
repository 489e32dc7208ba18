"""Batches and the quality gate: what is missing is masked, what is poor is named."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hashformer.config import FeatureConfig, QualityConfig
from hashformer.data.batch import collate
from hashformer.data.features import SoundFeatures
from hashformer.data.quality import judge
from hashformer.timebase import Window
from hashformer.types import Clip
from make_speech import voice

FEATURES = SoundFeatures(FeatureConfig(), sample_rate_hz=16_000)
CONTEXT = FEATURES.context_samples


def clip(*, face=True, sound=True, width_px=100.0, level=128, loudness=0.1, gaps=()):
    landmarks = np.full((16, 478, 2), 112.0, np.float32)
    landmarks[list(gaps)] = np.nan
    boxes = np.tile(np.array([10, 10, 10 + width_px, 150], np.float32), (16, 1))
    boxes[list(gaps)] = np.nan
    rng = np.random.default_rng(0)
    return Clip(
        window=Window(0, 16, 16),
        track_id=0 if face else None,
        frames=np.full((16, 3, 8, 8), level, np.uint8) if face else None,
        landmarks=landmarks / 28 if face else None,
        boxes=boxes if face else None,
        waveform=(loudness * rng.normal(size=16_000 + 2 * CONTEXT)).astype(np.float32) if sound else None,
        context_samples=CONTEXT,
    )


def test_shapes_scales_and_masks():
    batch = collate([clip(gaps=(3, 4)), clip(sound=False), clip(face=False)], FEATURES)
    assert batch.video.shape == (3, 16, 3, 8, 8)
    assert batch.landmarks.shape == (3, 16, 956)
    assert batch.audio.shape == (3, 100, 128)
    assert batch.video[0].max() == pytest.approx(128 / 255)
    assert batch.landmarks[1].unique().tolist() == [0.5]
    assert batch.present["video"].sum(1).tolist() == [14, 16, 0]
    assert torch.equal(batch.present["landmarks"], batch.present["video"])
    assert batch.present["audio"].any(1).tolist() == [True, False, True]
    assert batch.present["audio"].shape == (3, 100)


def test_a_stream_that_nobody_has_is_none():
    assert collate([clip(sound=False)], FEATURES).audio is None
    batch = collate([clip(face=False)], FEATURES)
    assert batch.video is None
    assert batch.landmarks is None
    assert set(batch.present) == {"audio"}


def test_landmarks_are_x_and_y_by_turns():
    one = clip()
    one.landmarks[:, 7] = (2.0, 6.0)
    assert collate([one], FEATURES).landmarks[0, 0, 14:16].tolist() == [0.25, 0.75]


def test_a_good_clip_passes_whole():
    judged = judge(clip(), QualityConfig())
    assert judged.clip.frames is not None
    assert judged.clip.waveform is not None
    assert (judged.no_video, judged.no_audio, judged.face_px) == (None, None, 100.0)
    assert not judged.empty


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"width_px": 20.0}, "too small: 20 px wide, at least 48 px"), ({"level": 4}, "too dark: brightness 0.02")],
)
def test_a_poor_face_is_taken_out_with_the_reason(changes, reason):
    judged = judge(clip(**changes), QualityConfig())
    assert reason in judged.no_video
    assert judged.clip.frames is None
    assert judged.clip.waveform is not None
    assert judged.clip.track_id == 0


def test_silence_is_taken_out_with_the_reason():
    judged = judge(clip(loudness=1e-5), QualityConfig())
    assert "silent: -100 dBFS" in judged.no_audio
    assert judged.clip.waveform is None


def test_a_blurred_face_is_taken_out_with_the_reason_if_there_is_a_limit():
    one = clip()
    rng = np.random.default_rng(0)
    one.frames[:] = rng.integers(0, 256, one.frames.shape, dtype=np.uint8)
    assert judge(one, QualityConfig(min_sharpness=6)).no_video is None
    one.frames[4:] = 128  # most of it is flat
    assert judge(one, QualityConfig()).no_video is None
    judged = judge(one, QualityConfig(min_sharpness=6))
    assert judged.no_video == "the face is too blurred: sharpness 0.0, at least 6.0 is needed"
    assert judged.clip.waveform is not None


def test_speech_passes_and_other_sound_is_taken_out_with_the_reason_if_there_is_a_limit():
    spoken = voice(1, seed=5)
    times = np.arange(16_000) / 16_000
    chord = sum(0.05 * np.sin(2 * np.pi * pitch_hz * times) for pitch_hz in (220, 277.2, 329.6)).astype(np.float32)
    limit = QualityConfig(min_speech=0.2)
    assert judge(replace(clip(), waveform=spoken), limit).no_audio is None
    for other in (clip().waveform, chord):
        judged = judge(replace(clip(), waveform=other), limit)
        assert judged.no_audio == "there is no speech: 0 % of the sound, at least 20 % is needed"
        assert judged.clip.waveform is None
        assert judged.clip.frames is not None


@pytest.mark.parametrize(("share", "passes"), [(0.04, False), (0.199, False), (0.2, True)])
def test_the_limit_of_speech_is_enough(monkeypatch, share, passes):
    monkeypatch.setattr("hashformer.data.quality.speech_share", lambda _: share)
    reason = f"there is no speech: {int(100 * share)} % of the sound, at least 20 % is needed"
    assert judge(clip(), QualityConfig(min_speech=0.2)).no_audio == (None if passes else reason)


def test_without_a_limit_nothing_listens_for_speech(monkeypatch):
    monkeypatch.setattr("hashformer.data.quality.speech_share", lambda _: pytest.fail("listened"))
    assert judge(clip(), QualityConfig(min_speech=0)).no_audio is None


def test_silence_is_told_before_speech(monkeypatch):
    monkeypatch.setattr("hashformer.data.quality.speech_share", lambda _: pytest.fail("listened"))
    assert "silent" in judge(clip(loudness=1e-5), QualityConfig(min_speech=0.2)).no_audio


def test_gaps_do_not_darken_a_face():
    one = clip(gaps=range(8))
    one.frames[:8] = 0
    assert judge(one, QualityConfig(min_luma=0.4)).no_video is None


def test_a_face_that_is_on_no_frame_is_taken_out():
    one = clip()
    judged = judge(clip(gaps=range(len(one.frames))), QualityConfig())
    assert judged.no_video == "the face is on none of its frames"
    assert judged.face_px is None


def test_nothing_left_is_empty():
    assert judge(clip(width_px=10.0, sound=False), QualityConfig()).empty

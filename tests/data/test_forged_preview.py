"""Sheets: the rows that a forgery has something to show in, and where they are marked."""

import cv2
import numpy as np
import pytest

from hashformer.data.forge import FORGERIES
from hashformer.data.forge.narrow import narrow
from hashformer.data.forged_group import cut_to
from hashformer.data.forged_preview import sheet, spectrogram, write_jpeg
from hashformer.timebase import Window
from make_talker import talking_clip

SIDE = 48
PICTURE_ROWS, SOUND_ROWS, LINE = 3 * (SIDE + 2), 2 * (SIDE * 3 // 4 + 2), 20
CAPTION = 26


def drawn(name, *, sound=True, seed=0):
    clip = talking_clip(40, sound=sound)
    partner = talking_clip(40, seed=4, sound=sound)
    forged = FORGERIES[name].make(clip, partner, rng=np.random.default_rng(seed), sample_rate_hz=16_000)
    window = forged.clip.window
    return sheet(narrow(clip, window, sample_rate_hz=16_000), forged, sample_rate_hz=16_000, side_px=SIDE), forged


@pytest.mark.parametrize(
    ("name", "height"),
    [
        ("resynthesis", CAPTION + PICTURE_ROWS + LINE),
        ("mouth_splice", CAPTION + PICTURE_ROWS + 2 * LINE),
        ("vocoder_griffin_lim", CAPTION + SOUND_ROWS + LINE),
    ],
)
def test_rows_show_what_changed(name, height):
    picture, _ = drawn(name)
    assert picture.shape == (height, 92 + 6 * SIDE, 3)
    assert picture.dtype == np.uint8
    back = cv2.imdecode(np.frombuffer(write_jpeg(picture), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(back.astype(int) - picture).mean() < 6


def test_a_silent_clip_has_a_sheet_too():
    picture, _ = drawn("mouth_splice", sound=False)
    assert len(picture) == CAPTION + PICTURE_ROWS + LINE  # no sound, so no line for sync


def test_lines_mark_the_forged_seconds():
    picture, forged = drawn("vocoder_griffin_lim", seed=3)
    (span,) = forged.spans["audio"]
    line = np.flatnonzero((picture[-LINE + 9, 92:] != 255).any(-1))
    window = forged.clip.window
    length = 6 * SIDE / (window.end_s - window.start_s)
    assert line[0] == pytest.approx((span.start_s - window.start_s) * length, abs=1)
    assert line[-1] + 1 == pytest.approx((span.end_s - window.start_s) * length, abs=1)


def test_a_tone_stands_at_its_height():
    tone = np.sin(2 * np.pi * 2000 * np.arange(16_000) / 16_000).astype(np.float32)
    picture = spectrogram(tone, (64, 100), sample_rate_hz=16_000)
    brightest = picture.sum(2).mean(1).argmax()
    assert brightest == pytest.approx(64 * (1 - 2000 / 8000), abs=1.5)  # low tones below


def test_a_cut_forgery_keeps_its_seconds():
    clip = talking_clip(40)
    forged = FORGERIES["frame_repeat"].make(clip, None, rng=np.random.default_rng(1), sample_rate_hz=16_000)
    (span,) = forged.spans["video"]
    window = Window(4, 32, 16)
    cut = cut_to(forged, window, sample_rate_hz=16_000)
    assert cut.spans["video"] == ((max(span.start_s, 0.25), min(span.end_s, 2.25)),)
    np.testing.assert_array_equal(cut.mask, forged.mask[4:36])
    assert cut_to(forged, Window(0, 1, 16), sample_rate_hz=16_000).spans["audio"] == ()

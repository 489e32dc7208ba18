"""The few clips that are held back."""

import numpy as np

from hashformer.data.quality import Judged
from hashformer.detector import ClipAnswer
from hashformer.evidence import SuspectKeeper
from hashformer.timebase import Window
from hashformer.types import Clip


def offer(keeper, score, *, start, face=0):
    frames = None if face is None else np.zeros((16, 3, 8, 8), np.uint8)
    window = Window(start, 16, 16)
    clip = Clip(window=window, track_id=face, frames=frames, landmarks=None, boxes=None, waveform=np.zeros(16))
    scores = {} if score is None else {"overall": score}
    judged = Judged(clip=clip, face_px=None, no_video=None, no_audio=None)
    keeper(judged, ClipAnswer(window=window, track_id=face, scores=scores))


def starts(keeper):
    return [clip.window.first_frame for clip in keeper.clips]


def test_the_most_suspect_are_kept_the_worst_first():
    keeper = SuspectKeeper(3)
    for number, score in enumerate((0.1, 0.9, 0.3, 0.8, 0.2, 0.7)):
        offer(keeper, score, start=100 * number)
    assert starts(keeper) == [100, 300, 500]


def test_one_moment_of_a_face_is_kept_once():
    keeper = SuspectKeeper(3)
    offer(keeper, 0.5, start=0)
    offer(keeper, 0.6, start=8)
    offer(keeper, 0.4, start=16)
    assert starts(keeper) == [8]
    offer(keeper, 0.3, start=8, face=1)
    offer(keeper, 0.2, start=8, face=None)
    assert len(keeper.clips) == 3


def test_a_clip_that_beats_two_takes_the_place_of_both():
    keeper = SuspectKeeper(2)
    offer(keeper, 0.5, start=0)
    offer(keeper, 0.4, start=16)
    offer(keeper, 0.9, start=8)
    assert starts(keeper) == [8]


def test_never_more_than_asked_however_long_the_file():
    keeper = SuspectKeeper(3)
    for number in range(500):
        offer(keeper, (number * 37 % 101) / 101, start=100 * number)
        assert len(keeper.clips) <= 3


def test_none_asked_none_kept_and_clips_without_a_score_are_passed_over():
    keeper = SuspectKeeper(0)
    offer(keeper, 0.9, start=0)
    assert keeper.clips == []
    keeper = SuspectKeeper(1)
    offer(keeper, None, start=0)
    assert keeper.clips == []

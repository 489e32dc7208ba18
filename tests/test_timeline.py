"""From clip scores to seconds, segments and one score: against plain references."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashformer.config import TimelineConfig
from hashformer.results import Second
from hashformer.timebase import Window
from hashformer.timeline import ClipScore, file_scores, merge, per_second, pool, segments

FPS = 16
unit = st.floats(0, 1, allow_nan=False)


def clip(first_frame, score, *, n_frames=FPS, name="overall"):
    return ClipScore(window=Window(first_frame, n_frames, FPS), track_id=0, scores={name: score})


def seconds(*scores, name="overall"):
    return [Second(start_s=i, end_s=i + 1, **({name: s} if s is not None else {})) for i, s in enumerate(scores)]


@given(st.lists(st.tuples(st.integers(0, 100), unit), min_size=1, max_size=20))
def test_a_second_is_the_mean_over_the_frames_that_clips_put_into_it(clips):
    """The slow version walks over every frame of every clip."""
    sums, counts = {}, {}
    for first, score in clips:
        for frame in range(first, first + FPS):
            sums[frame // FPS] = sums.get(frame // FPS, 0) + score
            counts[frame // FPS] = counts.get(frame // FPS, 0) + 1
    for second in per_second([clip(first, score) for first, score in clips]):
        key = int(second.start_s)
        if key in sums:
            assert second.overall == pytest.approx(sums[key] / counts[key])
        else:
            assert second.overall is None


def test_seconds_between_clips_have_no_score():
    timeline = per_second([clip(0, 0.2), clip(3 * FPS, 0.9)])
    assert [second.overall for second in timeline] == [0.2, None, None, 0.9]


def test_the_last_second_ends_where_the_clips_end():
    assert per_second([clip(8, 0.5)])[-1].end_s == 1.5


@given(st.lists(unit, min_size=1, max_size=30), st.floats(0.01, 1))
def test_pooling_averages_the_highest(scores, fraction):
    kept = sorted(scores)[-math.ceil(len(scores) * fraction) :]
    assert pool(scores, fraction) == pytest.approx(sum(kept) / len(kept))
    assert min(scores) - 1e-9 <= pool(scores, fraction) <= max(scores) + 1e-9


def test_no_clips_no_score():
    assert pool([], 0.5) is None
    assert per_second([]) == []
    assert merge([], []) == []


def test_a_file_is_as_suspect_as_its_most_suspect_face():
    merged = merge([seconds(0.1, 0.9), seconds(0.3, 0.2)], [])
    assert [second.overall for second in merged] == [0.3, 0.9]


def test_sync_is_that_of_the_face_that_fits_best():
    assert merge([seconds(0.9, name="sync"), seconds(0.2, name="sync")], [])[0].sync == 0.2


def test_where_there_is_no_face_the_sound_decides():
    sound = [Second(start_s=0, end_s=1, audio=0.7), Second(start_s=1, end_s=2, audio=0.8, overall=0.6)]
    merged = merge([seconds(0.1)], sound)
    assert [(second.overall, second.audio) for second in merged] == [(0.1, 0.7), (0.6, 0.8)]


def found(*scores, **settings):
    config = TimelineConfig(threshold=0.5, **settings)
    return [(part.start_s, part.end_s, part.score) for part in segments(seconds(*scores), config, names=("overall",))]


def test_a_stretch_at_the_threshold_is_a_segment():
    assert found(0.1, 0.5, 0.9, 0.2) == [(1, 3, 0.9)]


def test_near_stretches_are_one_and_far_ones_two():
    assert found(0.9, 0.1, 0.8, 0.1, 0.1, 0.7) == [(0, 3, 0.9), (5, 6, 0.7)]


def test_a_gap_without_score_counts_as_a_gap():
    assert found(0.9, None, None, 0.9, merge_gap_s=1.0) == [(0, 1, 0.9), (3, 4, 0.9)]


def test_short_segments_are_left_out():
    assert found(0.9, 0.1, 0.1, 0.9, 0.9, min_segment_s=2.0) == [(3, 5, 0.9)]


@given(st.lists(st.one_of(st.none(), unit), max_size=30))
def test_every_suspect_second_is_in_a_segment_and_no_segment_starts_elsewhere(scores):
    parts = found(*scores)
    for i, score in enumerate(scores):
        if score is not None and score >= 0.5:
            assert any(start <= i and i + 1 <= end for start, end, _ in parts)
    assert all(scores[int(start)] >= 0.5 and scores[int(end) - 1] >= 0.5 for start, end, _ in parts)


def judged(first_frame, track_id, **scores):
    return ClipScore(window=Window(first_frame, FPS, FPS), track_id=track_id, scores=scores)


def test_a_file_has_the_scores_of_its_most_suspect_face_and_of_its_sound():
    clips = [
        judged(0, 0, overall=0.2, video=0.9, sync=0.8, audio=0.1),
        judged(0, 1, overall=0.7, video=0.3, sync=0.4, audio=0.1),
        judged(8, 0, overall=0.4, video=0.5, sync=0.6, audio=0.3),
        judged(16, None, overall=0.99, audio=0.5),
    ]
    expected = {"overall": 0.7, "video": 0.7, "audio": 0.3, "sync": 0.4}
    assert file_scores(clips, 1.0) == pytest.approx(expected)


def test_where_no_face_was_judged_the_sound_alone_is_the_file():
    clips = [judged(0, None, overall=0.2, audio=0.1), judged(8, None, overall=0.6, audio=0.5)]
    assert file_scores(clips, 0.5) == {"overall": 0.6, "audio": 0.5}
    assert file_scores([], 0.5) == {}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), unit, unit), max_size=20), st.floats(0.01, 1))
def test_the_sound_of_a_window_counts_once(drawn, fraction):
    """Given with every face, or once beside them, it makes the same file."""
    raw = [judged(8 * i, face, overall=score, audio=heard) for face, i, score, heard in drawn]
    once = {clip.window: clip.scores["audio"] for clip in reversed(raw)}
    apart = [judged(c.window.first_frame, c.track_id, overall=c.scores["overall"]) for c in raw]
    apart += [judged(window.first_frame, None, audio=heard) for window, heard in once.items()]
    assert file_scores(raw, fraction) == file_scores(apart, fraction)

"""Time stamps that are missing, jump, or are plain wrong."""

import pytest

from hashformer.media.clock import MAX_GAP_BROADCAST_S, Clock


def placed(stamps, *, start_s=0.0, **options):
    clock = Clock(start_s, **options)
    return [clock.place(stamp, 1.0) for stamp in stamps], clock


def test_counts_from_the_start_of_the_file():
    assert placed([10.5, 11.5], start_s=10.0)[0] == [0.5, 1.5]


def test_a_missing_stamp_follows_the_one_before():
    assert placed([0.0, None, None, 5.0])[0] == [0.0, 1.0, 2.0, 5.0]


def test_one_wrong_stamp_does_not_move_what_follows():
    times, clock = placed([0.0, 1.0, 1e9, 3.0, 4.0])
    assert times == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert clock.jumps_s == [2.0]


def test_a_clock_that_restarts_is_joined_on():
    assert placed([100.0, 101.0, 102.0, 0.0, 1.0, 2.0], start_s=100.0)[0] == [0, 1, 2, 3, 4, 5]


def test_a_long_gap_is_believed_in_a_file_but_not_in_a_broadcast():
    assert placed([0.0, 61.0])[0] == [0.0, 61.0]
    assert placed([0.0, 61.0], max_gap_s=MAX_GAP_BROADCAST_S)[0] == [0.0, 1.0]


def test_one_wrong_duration_does_not_move_what_follows():
    clock = Clock(0.0)
    assert [clock.place(stamp, duration) for stamp, duration in [(0.0, 1e9), (1.0, 1.0), (2.0, 1.0)]][2] < 15


def test_small_steps_back_are_kept_for_the_caller_to_judge():
    assert placed([0.0, 0.9, 1.8])[0] == pytest.approx([0.0, 0.9, 1.8])

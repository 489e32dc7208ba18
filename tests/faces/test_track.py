"""Tracks: one number for one face, over gaps, crossings, cuts and flashes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashformer.config import FaceConfig
from hashformer.faces.track import Tracker, overlap

GREY = np.full((90, 160, 3), 90, np.uint8)
WHITE = np.full((90, 160, 3), 255, np.uint8)
FPS = 16


def box(left, top, side=20):
    return [left, top, left + side, top + side]


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def slow_overlap(a, b):
    cells_a, cells_b = (
        {(x, y) for x in range(round(r[0]), round(r[2])) for y in range(round(r[1]), round(r[3]))} for r in (a, b)
    )
    return len(cells_a & cells_b) / len(cells_a | cells_b)


@given(*[st.integers(0, 12) for _ in range(4)], *[st.integers(1, 12) for _ in range(4)])
def test_overlap_equals_counting_pixels(x0, y0, x1, y1, w0, h0, w1, h1):
    a, b = [x0, y0, x0 + w0, y0 + h0], [x1, y1, x1 + w1, y1 + h1]
    assert overlap(boxes(a), boxes(b))[0, 0] == pytest.approx(slow_overlap(a, b), abs=1e-6)


def follow(steps):
    tracker = Tracker(FaceConfig(), fps=FPS)
    return [tracker.update(index, picture, boxes(*rows)) for index, (picture, rows) in enumerate(steps)]


def test_a_moving_face_keeps_its_number():
    assert follow([(GREY, [box(3 * i, 10)]) for i in range(20)]) == [[0]] * 20


def test_two_faces_keep_their_numbers_when_their_order_changes():
    ids = follow([(GREY, [box(0, 10), box(80, 10)]), (GREY, [box(80, 10), box(0, 10)])])
    assert ids == [[0, 1], [1, 0]]


def test_each_face_goes_to_the_track_it_fits_best():
    ids = follow([(GREY, [box(0, 0), box(10, 0)]), (GREY, [box(8, 0), box(18, 0)])])
    assert ids[1] == [0, 1]


def test_a_gap_does_not_end_a_track():
    assert follow([(GREY, [box(0, 0)]), *[(GREY, [])] * FPS, (GREY, [box(2, 0)])])[-1] == [0]


def test_a_face_unseen_for_longer_is_a_new_track():
    assert follow([(GREY, [box(0, 0)]), *[(GREY, [])] * (FPS + 1), (GREY, [box(2, 0)])])[-1] == [1]


def test_a_cut_to_another_picture_ends_the_track():
    checks = np.kron(np.indices((9, 16)).sum(0) % 2, np.ones((10, 10)))[..., None].repeat(3, -1)
    other = (255 * checks).astype(np.uint8)
    assert follow([(GREY, [box(0, 0)]), (other, [box(0, 0)])]) == [[0], [1]]


def test_a_flash_does_not():
    steps = [(GREY, [box(0, 0)]), (WHITE, []), (WHITE, []), (GREY, [box(1, 0)])]
    assert follow(steps)[-1] == [0]


def test_shot_and_counter_shot_are_known_again():
    dark = np.full((90, 160, 3), 5, np.uint8)
    steps = [(WHITE, [box(0, 0)]), (dark, [box(0, 0)]), (WHITE, [box(0, 0)]), (dark, [box(0, 0)])]
    assert follow(steps) == [[0], [1], [0], [1]]


def test_memory_does_not_grow_with_the_number_of_tracks():
    tracker = Tracker(FaceConfig(), fps=FPS)
    for index in range(2000):
        tracker.update(index, GREY, boxes(box((37 * index) % 130, 0)))
    assert len(tracker._tracks) <= 2 * FPS + 2
    assert len(tracker._scenes) <= 2 * FPS + 2

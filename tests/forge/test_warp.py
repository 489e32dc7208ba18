"""A dense map moves control points where they shall be and the rest smoothly with them."""

import cv2
import numpy as np
import pytest

from hashformer.data.forge.regions import CONTROL
from hashformer.data.forge.warp import Area, border, dense_map, resample
from make_talker import face_points

SIZE = 96
WHOLE = Area(0, 0, SIZE, SIZE)


def _face() -> np.ndarray:
    return ((face_points() * 0.7 + 0.5) * SIZE).astype(np.float32)[CONTROL]


def test_points_that_stay_leave_every_pixel_where_it_is():
    points = np.concatenate([_face(), border(SIZE)])
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    assert np.allclose(dense_map(points, points, WHOLE), np.stack([columns, rows], -1), atol=1e-4)


def test_a_common_shift_shifts_every_pixel():
    source = border(SIZE)
    places = dense_map(source, source + np.float32([3, -2]), WHOLE)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    assert np.allclose(places, np.stack([columns - 3, rows + 2], -1), atol=1e-3)


def test_a_dot_under_a_control_point_goes_with_it():
    points = np.concatenate([border(SIZE), np.float32([[30.5, 40.5], [60.5, 50.5]])])
    moved = points.copy()
    moved[-2] += (5, -4)
    picture = np.zeros((SIZE, SIZE), np.uint8)
    picture[40, 30] = picture[50, 60] = 255
    picture = cv2.GaussianBlur(picture, (0, 0), 2)
    warped = resample(picture, dense_map(points, moved, WHOLE))
    assert np.unravel_index(int(warped[:, :48].argmax()), (SIZE, 48)) == pytest.approx((36, 35), abs=1)
    assert np.unravel_index(int(warped[:, 48:].argmax()), (SIZE, 48)) == pytest.approx((50, 12), abs=1)


def test_the_field_agrees_with_the_interpolant_computed_point_by_point():
    rng = np.random.default_rng(0)
    target = rng.uniform(5, SIZE - 5, (30, 2))
    source = target + rng.normal(0, 3, (30, 2))
    kernel = np.hypot(np.linalg.norm(target[:, None] - target[None], axis=-1), 3.0) - 0.3 * np.eye(30)
    system = np.block([[kernel, np.ones((30, 1))], [np.ones((1, 30)), np.zeros((1, 1))]])
    weights = np.linalg.solve(system, np.concatenate([source - target, np.zeros((1, 2))]))
    places = dense_map(source.astype(np.float32), target.astype(np.float32), WHOLE)
    # Between the four middle pixels of a cell, the nearest to its own value.
    for row, column in ((1, 1), (41, 53), (73, 9)):
        at = np.array([column + 1.0, row + 1.0])
        plain = np.append(np.hypot(np.linalg.norm(target - at, axis=-1), 3.0), 1) @ weights
        shift = places[row : row + 2, column : column + 2].mean((0, 1)) + 0.5 - at
        assert shift == pytest.approx(plain, abs=0.15)


def test_a_part_is_the_same_as_that_part_of_the_whole():
    source = _face()
    target = source + np.random.default_rng(1).normal(0, 1, source.shape).astype(np.float32)
    whole, part = dense_map(source, target, WHOLE), dense_map(source, target, Area(20, 32, 24, 16))
    assert part.shape == (16, 24, 2)
    # At the part's own border the last cell has no neighbour to lean on.
    assert np.allclose(part[2:-2, 2:-2], whole[34:46, 22:42], atol=1e-3)


def test_points_that_meet_do_not_tear_the_field():
    source = np.concatenate([border(SIZE), np.float32([[48, 40], [48, 56]])])
    target = source.copy()
    target[-2:] = (48, 48)
    places = dense_map(source, target, WHOLE)
    assert np.isfinite(places).all()
    assert np.abs(np.diff(places[..., 1], axis=0)).max() < 20


def test_a_gap_is_refused():
    points = _face()
    missing = np.full_like(points, np.nan)
    with pytest.raises(ValueError, match="finite"):
        dense_map(points, missing, WHOLE)
    with pytest.raises(ValueError, match="finite"):
        dense_map(missing, points, WHOLE)


def test_a_place_far_outside_is_answered_at_once():
    places = np.full((8, 8, 2), 1e9, np.float32)
    assert resample(np.full((8, 8), 7, np.uint8), places).tolist() == [[7] * 8] * 8

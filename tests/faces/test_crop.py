"""Crops: upright, centred, never stretched, and the landmarks stay on their pixels."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashformer.faces.crop import _INDICES, _TEMPLATE, Place, average, crop_face, fit_place

SIZE = 224


def template_face(place):
    """Landmarks of a face that lies exactly at `place`; the points that do not count are at its middle."""
    turn = place.width_px * complex(math.cos(place.angle_rad), math.sin(place.angle_rad))
    points = np.tile(np.array([place.x, place.y], np.float32), (478, 1))
    moved = turn * _TEMPLATE + complex(place.x, place.y)
    points[_INDICES] = np.stack([moved.real, moved.imag], -1)
    return points


places = st.builds(
    Place, st.floats(100, 900), st.floats(100, 500), st.floats(30, 600), st.floats(-math.pi / 2, math.pi / 2)
)


@given(places)
def test_a_face_is_found_where_it_lies(place):
    found = fit_place(template_face(place))
    assert (found.x, found.y) == pytest.approx((place.x, place.y), abs=0.05)
    assert found.width_px == pytest.approx(place.width_px, rel=1e-3)
    assert found.angle_rad == pytest.approx(place.angle_rad, abs=1e-3)


@given(places)
def test_the_eyes_of_every_crop_are_level_and_at_one_place(place):
    picture = np.zeros((600, 1000, 3), np.uint8)
    _, landmarks = crop_face(picture, template_face(place), place, size_px=SIZE, margin=0.25)
    side = 1.5
    for index, x in ((33, -0.321), (263, 0.321)):
        expected = SIZE * (0.5 + x / side), SIZE * (0.5 - 0.219 / side)
        assert landmarks[index] == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize("width_px", [60, 150, 400, 900])
@pytest.mark.parametrize("angle_rad", [0.0, 0.5, -0.3])
def test_landmarks_move_with_the_pixels(width_px, angle_rad):
    """A white dot under a landmark is under it in the crop, whether the face is enlarged or reduced."""
    place = Place(1000.0, 700.0, float(width_px), angle_rad)
    face = template_face(place)
    picture = np.zeros((1400, 2000, 3), np.uint8)
    radius = max(2, width_px // 20)
    cv2.circle(picture, tuple(int(v) for v in np.floor(face[33])), radius, (255, 255, 255), -1)
    crop, landmarks = crop_face(picture, face, place, size_px=SIZE, margin=0.25)
    rows, columns = np.nonzero(crop[0] > 127)
    # The dot is drawn on whole pixels of the picture: half of one is the best that can be seen.
    half = 0.5 * max(1.0, SIZE / (1.5 * width_px))
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx(tuple(landmarks[33]), abs=half + 0.3)


@pytest.mark.parametrize("width_px", [60, 300, 900])
def test_a_circle_stays_a_circle(width_px):
    place = Place(1000.0, 700.0, float(width_px), 0.4)
    picture = np.zeros((1400, 2000, 3), np.uint8)
    cv2.circle(picture, (1000, 700), width_px // 3, (255, 255, 255), -1)
    crop, _ = crop_face(picture, template_face(place), place, size_px=SIZE, margin=0.25)
    rows, columns = np.nonzero(crop[0] > 127)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=2)
    assert np.ptp(rows) == pytest.approx(SIZE / 1.5 * 2 / 3, rel=0.05)


def test_reducing_does_not_alias():
    """A fine checkerboard becomes even grey, not a coarser pattern."""
    picture = (255 * (np.indices((1200, 1200)).sum(0) % 2)).astype(np.uint8)[..., None].repeat(3, -1)
    place = Place(600.0, 600.0, 700.0, 0.0)
    crop, _ = crop_face(picture, template_face(place), place, size_px=64, margin=0.25)
    assert crop.std() < 3


def test_what_lies_outside_the_picture_is_black():
    place = Place(0.0, 300.0, 200.0, 0.0)
    crop, _ = crop_face(np.full((600, 600, 3), 200, np.uint8), template_face(place), place, size_px=SIZE, margin=0.25)
    assert crop[:, 112, 20].tolist() == [0, 0, 0]
    assert crop[:, 112, 200].tolist() == [200, 200, 200]


def test_places_average_on_the_circle():
    mean = average([Place(0, 0, 100, math.pi - 0.1), Place(10, 20, 400, -math.pi + 0.1)])
    assert (mean.x, mean.y, mean.width_px) == pytest.approx((5, 10, 200))
    assert abs(mean.angle_rad) == pytest.approx(math.pi)

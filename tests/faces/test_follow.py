"""The real face models on real pictures: found, followed, gaps kept."""

import numpy as np
import pytest

from hashformer.clock import Stopwatch
from hashformer.config import FaceConfig
from hashformer.faces.follow import FaceFinder
from hashformer.media.video import GridFrame
from make_faces import scene

FPS = 8


def follow(finder, pictures, problems=None):
    grid = [GridFrame(index, picture) for index, picture in enumerate(pictures)]
    return list(finder.follow(grid, fps=FPS, stopwatch=Stopwatch(), problems=problems))


def ids(seen):
    return [sorted(face.track_id for face in frame.faces) for frame in seen]


def test_one_face_is_one_track(finder, man):
    seen = follow(finder, man[:12])
    assert ids(seen) == [[0]] * 12
    assert [frame.index for frame in seen] == list(range(12))


def test_the_crop_is_upright_and_shows_the_face(finder, man):
    face = follow(finder, man[:3])[1].faces[0]
    assert face.pixels.shape == (3, 224, 224)
    left_eye, right_eye, mouth = face.landmarks[33], face.landmarks[263], face.landmarks[13]
    assert abs(left_eye[1] - right_eye[1]) < 8
    assert 40 < left_eye[0] < 100
    assert 130 < right_eye[0] < 190
    assert mouth[1] > left_eye[1] + 30


def test_three_faces_are_three_tracks(finder, man):
    places = [(10, 20, 1.2), (230, 60, 1.1), (430, 120, 1.0)]
    seen = follow(finder, [scene(picture, places) for picture in man[:6]])
    assert ids(seen) == [[0, 1, 2]] * 6


def test_faces_that_change_places_in_the_list_stay_who_they_are(finder, man):
    """The left face grows past the right one: the order by size turns, the tracks do not."""
    pictures = [scene(man[i], [(5, 5, 1.0 + 0.08 * i), (390, 100, 1.25)]) for i in range(6)]
    seen = follow(finder, pictures)
    lefts = [min(frame.faces, key=lambda face: face.box[0]).track_id for frame in seen]
    assert len(set(lefts)) == 1
    assert all(len(frame.faces) == 2 for frame in seen)


def test_a_picture_without_the_face_is_a_gap(finder, man):
    empty = np.full_like(man[0], 90)
    # The background must stay for it to be the same scene: only the face is covered.
    covered = [picture.copy() for picture in man[3:6]]
    for picture in covered:
        picture[20:120, 30:130] = 120
    seen = follow(finder, [*man[:3], *covered, *man[6:9]])
    assert ids(seen) == [[0]] * 3 + [[]] * 3 + [[0]] * 3
    assert ids(follow(finder, [empty] * 3)) == [[]] * 3


def test_a_moment_without_a_picture_is_passed_on(finder, man):
    seen = follow(finder, [man[0], None, man[1]])
    assert [frame.has_picture for frame in seen] == [True, False, True]
    assert ids(seen) == [[0], [], [0]]


@pytest.mark.parametrize("scale", [0.6, 2.5])
def test_small_and_large_faces_are_found_at_the_same_place_of_the_crop(finder, man, scale):
    seen = follow(finder, [scene(man[0], [(40, 0, scale)])] * 2)
    other = follow(finder, [scene(man[0], [(100, 60, 1.0)])] * 2)
    difference = seen[0].faces[0].landmarks - other[0].faces[0].landmarks
    assert np.abs(difference).mean() < 4


def test_smoothing_steadies_the_crop(finder, man):
    """With one picture repeated and shaken by a pixel, the smoothed place moves less than the picture."""
    rng = np.random.default_rng(0)
    pictures = [scene(man[0], [(100 + int(dx), 60 + int(dy), 1.5)]) for dx, dy in rng.integers(-2, 3, (16, 2))]
    with FaceFinder(FaceConfig(smooth_frames=0)) as unsmoothed:
        raw = follow(unsmoothed, pictures)
    smooth = follow(finder, pictures)
    widths = [np.std([np.ptp(f.faces[0].landmarks[[234, 454], 0]) for f in seen]) for seen in (raw, smooth)]
    assert len(smooth) == len(raw) == 16
    assert widths[1] >= 0
    moved = [np.std([f.faces[0].landmarks[168] for f in seen], axis=0).sum() for seen in (raw, smooth)]
    assert moved[0] < moved[1], "an unsmoothed crop follows every shake, so its landmarks stand still"


def test_no_more_than_the_largest_faces_are_followed_and_it_is_said(man):
    problems = []
    with FaceFinder(FaceConfig(max_faces=1)) as finder:
        seen = follow(finder, [scene(man[0], [(0, 0, 1.0), (300, 60, 1.6)])], problems)
    assert problems == ["1 frames show more than 1 faces; the 1 largest were followed"]
    assert len(seen[0].faces) == 1
    assert seen[0].faces[0].box[0] > 300


@pytest.fixture
def looked(finder, monkeypatch):
    """Grows by an entry whenever the detector looks at a whole picture."""
    looks = []
    model = type(finder._models._detector)
    real = model.__call__
    monkeypatch.setattr(model, "__call__", lambda self, rgb: (looks.append(1), real(self, rgb))[1])
    return looks


@pytest.fixture(scope="module")
def each_frame():
    """Asks the detector on every frame."""
    with FaceFinder(FaceConfig(detect_every_s=0)) as loaded:
        yield loaded


def test_a_held_picture_is_looked_at_once(each_frame, man, looked):
    """A film at half the grid's rate costs half the work and gives the same faces."""
    held = follow(each_frame, [picture for picture in man[:4] for _ in range(2)])
    assert len(looked) == 4
    copies = follow(each_frame, [picture.copy() for picture in man[:4] for _ in range(2)])
    assert len(looked) == 12
    for one, other in zip(held, copies, strict=True):
        assert np.array_equal(one.faces[0].pixels, other.faces[0].pixels)


def test_a_face_that_is_followed_is_looked_for_every_half_second(finder, each_frame, man, looked):
    pictures = [scene(picture, [(100, 60, 1.5)]) for picture in man[:12]]
    seldom = follow(finder, pictures)
    assert len(looked) == 12 / (0.5 * FPS)
    always = follow(each_frame, pictures)
    assert ids(seldom) == ids(always) == [[0]] * 12
    for one, other in zip(seldom, always, strict=True):
        assert np.abs(one.faces[0].landmarks - other.faces[0].landmarks).mean() < 1.0
        assert np.abs(one.faces[0].box - other.faces[0].box).max() < 0.03 * np.ptp(other.faces[0].box[[0, 2]])


def test_a_face_that_jumps_is_seen_to_jump(finder, man):
    """The landmarks of a frame know nothing of the frame before, though its face was looked for there."""
    shifts = [0, 0, 3, 0, 0, 0]
    seen = follow(finder, [scene(man[0], [(100 + shift, 60, 1.5)]) for shift in shifts])
    noses = np.array([frame.faces[0].box[0] for frame in seen])
    assert noses[2] - noses[1] == pytest.approx(3, abs=1)
    assert noses[3] - noses[1] == pytest.approx(0, abs=1)


def test_a_new_face_is_found_within_half_a_second(finder, man):
    alone, both = [(20, 60, 1.3)], [(20, 60, 1.3), (380, 60, 1.3)]
    seen = follow(finder, [scene(man[i], alone if i < 3 else both) for i in range(10)])
    assert ids(seen)[:3] == [[0]] * 3
    assert ids(seen)[3 + FPS // 2 - 1 :] == [[0, 1]] * (7 - FPS // 2 + 1)


def test_a_face_that_leaves_is_missed_at_once(finder, man):
    places = [(20, 60, 1.3), (380, 60, 1.3)]
    seen = follow(finder, [scene(man[i], places if i < 3 else places[:1]) for i in range(6)])
    assert ids(seen) == [[0, 1]] * 3 + [[0]] * 3


def test_the_detector_is_asked_at_a_cut_and_after_a_leap(finder, man, looked):
    here = scene(man[0], [(20, 60, 1.3)])
    elsewhere = np.where(here == 90, 250, here).astype(np.uint8)
    follow(finder, [here, here.copy()])
    assert len(looked) == 1
    follow(finder, [here, elsewhere])
    assert len(looked) == 3
    assert ids(follow(finder, [here, scene(man[1], [(380, 60, 1.3)])])) == [[0], [1]]
    assert len(looked) == 5

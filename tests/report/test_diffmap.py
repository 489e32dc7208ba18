"""Difference maps: against plain formulas, in the right place, and the whole command on films and pictures."""

import json

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from hashformer.cli.diffmap import diffmap
from hashformer.config import FaceConfig
from hashformer.errors import EvaluationError, MediaError
from hashformer.evaluate.diffmap import (
    difference_maps,
    hull_mask,
    pixel_difference,
    pooled,
    structural_similarity,
    summarise_maps,
    texture_distance,
)
from hashformer.evaluate.pairs import FacePoints, pairs
from hashformer.media.video import frames
from hashformer.media.writer import write_video

MOUTH = (slice(72, 90), slice(88, 112))
"""Where the man of the sample clip has his mouth."""


def noise(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def command(*args):
    app = typer.Typer()
    app.command()(diffmap)
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def forged(man):
    """The man with another moment's mouth."""
    pictures = []
    for index, picture in enumerate(man[:12]):
        copy = picture.copy()
        copy[MOUTH] = man[(index + 12) % len(man)][MOUTH][::-1]
        pictures.append(copy)
    return pictures


@pytest.fixture(scope="module")
def points(finder):
    with FacePoints(FaceConfig()) as loaded:
        yield loaded


def test_the_pixel_difference_is_the_mean_of_the_colours():
    a, b = noise((20, 30)), noise((20, 30), 1)
    assert np.abs(pixel_difference(a, b) - np.abs(a.astype(float) - b).mean(2) / 255).max() < 1e-6


def test_ssim_at_a_pixel_is_that_of_its_window():
    """Equation (13) written out at one pixel, with weights of a Gaussian of 11 px."""
    a, b = noise((40, 40)), np.clip(noise((40, 40)) * 0.7 + noise((40, 40), 3) * 0.3, 0, 255).astype(np.uint8)
    grey = [cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(float)[15:26, 10:21] for rgb in (a, b)]
    weights = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    weights = np.outer(weights, weights) / np.outer(weights, weights).sum()
    x, y = grey
    mx, my = (weights * x).sum(), (weights * y).sum()
    vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
    cov = (weights * (x - mx) * (y - my)).sum()
    c1, c2 = 2.55**2, 7.65**2
    expected = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert structural_similarity(a, b)[20, 15] == pytest.approx(expected, abs=1e-5)


def test_the_same_picture_differs_nowhere():
    maps = difference_maps(noise((64, 48)), noise((64, 48)))
    assert not maps.pixel.any()
    assert np.abs(maps.structure).max() < 1e-6
    assert not maps.texture.any()


def test_texture_bears_a_shift_of_a_pixel_and_sees_other_texture():
    x = np.mgrid[:96, :96][1]
    wave = np.repeat((127 + 90 * np.sin(2 * np.pi * x / 8))[..., None], 3, 2).astype(np.uint8)
    shifted, other = np.roll(wave, 2, axis=1), np.ascontiguousarray(wave.transpose(1, 0, 2))
    inside = (slice(24, 72), slice(24, 72))
    assert texture_distance(wave, shifted)[inside].mean() < 0.05
    assert (1 - structural_similarity(wave, shifted))[inside].mean() > 0.8, "SSIM sees another structure"
    assert texture_distance(wave, other)[inside].mean() > 0.3


def test_texture_of_a_wave_has_its_amplitude_and_flat_has_none():
    flat = np.full((64, 64, 3), 120, np.uint8)
    brighter = np.full((64, 64, 3), 160, np.uint8)
    assert texture_distance(flat, brighter).max() < 0.01


def test_numbers_are_of_their_region():
    a = np.full((40, 60, 3), 100, np.uint8)
    b = a.copy()
    b[10:20, 10:30] = 140
    region = np.zeros((40, 60), bool)
    region[10:20, 10:30] = True
    maps = difference_maps(a, b)
    inside, outside, whole = summarise_maps(maps, region), summarise_maps(maps, ~region), summarise_maps(maps)
    assert inside.difference == pytest.approx(40 / 255)
    assert (inside.changed, outside.changed, outside.difference) == (1.0, 0.0, 0.0)
    assert whole.changed == pytest.approx(200 / 2400)
    assert pooled([inside, outside]).difference == pytest.approx(whole.difference)
    assert summarise_maps(maps, region, changed=41).changed == 0
    assert summarise_maps(maps, np.zeros_like(region)).ssim is None


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(EvaluationError, match="align them first"):
        difference_maps(noise((8, 8)), noise((8, 9)))


def test_the_hull_holds_the_face_and_not_the_corners(man, points):
    mask = hull_mask(points(man[0]), man[0].shape)
    assert mask[MOUTH].mean() > 0.8
    assert not mask[:10, :10].any()
    assert 0.05 < mask.mean() < 0.4


def test_a_film_gives_numbers_a_picture_and_a_film(tmp_path, man, forged, finder):
    write_video(tmp_path / "real.mp4", man[:12], fps=8, crf=5)
    write_video(tmp_path / "fake.mp4", forged, fps=8, crf=5)
    result = command(tmp_path / "real.mp4", tmp_path / "fake.mp4", "--out", tmp_path / "out", "--fps", 8)
    assert result.exit_code == 0, result.output
    assert "inside the face" in result.output
    document = json.loads((tmp_path / "out" / "diffmap.json").read_text())
    regions = document["regions"]
    assert document["n_moments"] == document["n_moments_with_face"] == 12
    assert regions["face"]["changed"] > 5 * regions["rest"]["changed"]
    assert regions["face"]["ssim"] < regions["rest"]["ssim"]
    assert cv2.imread(str(tmp_path / "out" / "diffmap.png")) is not None
    assert len([f for f in frames(tmp_path / "out" / "diffmap.mp4", fps=8) if f.rgb is not None]) == 12


def test_faces_are_laid_on_each_other(tmp_path, man, points):
    """The fake is smaller and elsewhere: whole pictures differ, faces hardly."""
    real = np.full((300, 400, 3), 90, np.uint8)
    real[100:244, 60 : 60 + man[0].shape[1]] = man[0]
    fake = np.full((300, 400, 3), 90, np.uint8)
    small = cv2.resize(man[0], None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    fake[20 : 20 + small.shape[0], 200 : 200 + small.shape[1]] = small
    for name, rgb in (("real.png", real), ("fake.png", fake)):
        cv2.imwrite(str(tmp_path / name), rgb[..., ::-1])
    for by_face, low, high in ((False, 0.0, 0.8), (True, 0.8, 1.0)):
        pair = next(pairs(tmp_path / "real.png", tmp_path / "fake.png", points, fps=16, by_face=by_face, notes=[]))
        face = hull_mask(pair.landmarks, pair.real.shape)
        assert low <= summarise_maps(difference_maps(pair.real, pair.fake), face).ssim <= high


def test_what_is_left_out_is_said(tmp_path, man, points):
    write_video(tmp_path / "real.mp4", man[:8], fps=8)
    write_video(tmp_path / "fake.mp4", [cv2.resize(rgb, (88, 72)) for rgb in man[:4]], fps=8)
    notes = []
    given = list(pairs(tmp_path / "real.mp4", tmp_path / "fake.mp4", points, fps=8, by_face=False, notes=notes))
    assert [pair.time_s for pair in given] == [0, 0.125, 0.25, 0.375]
    assert all(pair.fake.shape == pair.real.shape for pair in given)
    assert notes == [
        "the fake was scaled from 88 x 72 to 194 x 144",
        "4 moments were left out: only one of the two shows a picture",
    ]


def test_wrong_use_is_named(tmp_path, man, points):
    write_video(tmp_path / "real.mp4", man[:4], fps=8)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(MediaError, match="one is a picture, the other a film"):
        next(pairs(tmp_path / "real.mp4", tmp_path / "text.png", points, fps=8, by_face=False, notes=[]))
    with pytest.raises(MediaError, match="no picture that can be decoded"):
        next(pairs(tmp_path / "text.png", tmp_path / "text.png", points, fps=8, by_face=False, notes=[]))
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.full((64, 64, 3), 90, np.uint8))
    result = command(blank, blank, "--out", tmp_path / "out", "--by-face")
    assert isinstance(result.exception, MediaError)
    assert "no face in one of the two" in str(result.exception)

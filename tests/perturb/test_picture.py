"""Pictures against slow plain formulas, with the parameters of the published grid."""

import cv2
import numpy as np
import pytest

from hashformer.media.video import GridFrame
from hashformer.perturb import KINDS, Perturbation

from .conftest import grid_frames, moving


def perturbed(kind, level, rgb, seed=0):
    return next(Perturbation(kind, level, seed).pictures(grid_frames([rgb]), fps=16)).rgb


def to_ycbcr(rgb):
    """BT.601 in 0–1, step by step as the recommendation has it: 16–235 and 16–240 of 255."""
    r, g, b = np.moveaxis(rgb / 255.0, -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    cb, cr = (b - y) / 1.772, (r - y) / 1.402  # −0.5 to 0.5
    return np.stack([(16 + 219 * y) / 255, 0.5 + 224 / 255 * cb, 0.5 + 224 / 255 * cr], -1)


def from_ycbcr(ycbcr):
    y = (255 * ycbcr[..., 0] - 16) / 219
    cb, cr = ((ycbcr[..., k] - 0.5) * 255 / 224 for k in (1, 2))
    r, b = y + 1.402 * cr, y + 1.772 * cb
    g = (y - 0.299 * r - 0.114 * b) / 0.587
    return np.clip(np.rint(np.stack([r, g, b], -1) * 255), 0, 255)


@pytest.fixture(scope="module", params=[(224, 224), (1080, 1920)], ids=["224", "1080p"])
def rgb(request):
    return moving(request.param)[0]


@pytest.mark.parametrize(("level", "factor"), [(1, 0.4), (4, 0.1), (5, 0.0)])
def test_saturation_scales_the_chroma(rgb, level, factor):
    ycbcr = to_ycbcr(rgb)
    ycbcr[..., 1:] = 0.5 + (ycbcr[..., 1:] - 0.5) * factor
    assert np.abs(perturbed("saturation", level, rgb) - from_ycbcr(ycbcr)).max() <= 1
    if factor == 0:
        assert np.ptp(perturbed("saturation", level, rgb), axis=-1).max() == 0


@pytest.mark.parametrize(("level", "factor"), [(1, 0.85), (3, 0.6), (5, 0.35)])
def test_contrast_scales_every_value(rgb, level, factor):
    assert np.array_equal(perturbed("contrast", level, rgb), (rgb.astype(np.float64) * factor).astype(np.uint8))


@pytest.mark.parametrize(("level", "variance"), [(1, 0.001), (4, 0.01), (5, 0.05)])
def test_noise_has_the_variance_in_every_channel_of_ycbcr(level, variance):
    grey = np.full((512, 512, 3), 128, np.uint8)
    noise = np.random.default_rng([7, 0]).standard_normal(grey.shape, np.float32)
    expected = from_ycbcr(to_ycbcr(grey) + np.sqrt(variance) * noise)
    given = perturbed("gaussian-noise", level, grey, seed=7)
    assert np.abs(given - expected).max() <= 1
    if variance < 0.05:  # stronger noise is cut off at black and white
        spread = (to_ycbcr(given) - to_ycbcr(grey)).reshape(-1, 3)
        assert spread.var(0) == pytest.approx([variance] * 3, rel=0.05)


@pytest.mark.parametrize(("size", "units"), [((224, 224), 0), ((255, 999), 0), ((256, 300), 1), ((1080, 1920), 4)])
def test_block_wise_counts_by_the_size_of_the_picture(size, units):
    black = np.zeros((*size, 3), np.uint8)
    given = perturbed("block-wise", 2, black)
    assert set(np.unique(given)) <= {0, 128}
    n_pixels = int((given[..., 0] == 128).sum())
    most = 32 * units * 64
    assert 0.8 * most <= n_pixels <= most  # some overlap


def test_block_wise_says_where_it_did_nothing():
    problems = []
    source = grid_frames(moving((224, 300), 3))
    given = list(Perturbation("block-wise", 5).pictures(source, fps=16, problems=problems))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(given, source, strict=True))
    assert problems == ["block-wise changes no picture below 256 px: 3 frames are as they were"]


@pytest.mark.parametrize(("size", "side"), [((224, 224), 7), ((64, 64), 2), ((1080, 1920), 34)])
def test_block_wise_crop_covers_the_same_share_of_any_size(size, side):
    black = np.zeros((*size, 3), np.uint8)
    given = perturbed("block-wise-crop", 1, black)
    n_pixels = int((given[..., 0] == 128).sum())
    assert 0.75 * 16 * side**2 <= n_pixels <= 16 * side**2


def test_blocks_of_a_higher_level_hold_those_of_a_lower():
    black = np.zeros((256, 256, 3), np.uint8)
    covered = [perturbed("block-wise", level, black) > 0 for level in (1, 3, 5)]
    assert (covered[0] <= covered[1]).all()
    assert (covered[1] <= covered[2]).all()


@pytest.mark.parametrize(("level", "kernel"), [(1, 7), (3, 13), (5, 21)])
def test_blur_has_the_kernel_and_a_sixth_of_it_as_sigma(level, kernel):
    dot = np.zeros((64, 64, 3), np.uint8)
    dot[32, 32] = 255
    x = np.arange(kernel) - kernel // 2
    line = np.exp(-(x**2) / (2 * (kernel / 6) ** 2))
    line /= line.sum()
    expected = np.zeros((64, 64))
    half = kernel // 2
    expected[32 - half : 33 + half, 32 - half : 33 + half] = 255 * np.outer(line, line)
    assert np.abs(perturbed("gaussian-blur", level, dot)[..., 0] - expected).max() <= 1


@pytest.mark.parametrize(("level", "factor"), [(1, 2), (3, 4), (5, 6)])
def test_pixelation_goes_through_the_small_size(rgb, level, factor):
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (width // factor, height // factor), interpolation=cv2.INTER_LINEAR)
    expected = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(perturbed("pixelation", level, rgb), expected)


@pytest.mark.parametrize(("level", "quality"), [(1, 90), (5, 10)])
def test_jpeg_has_the_quality(rgb, level, quality, tmp_path):
    cv2.imwrite(str(tmp_path / "picture.jpg"), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert np.array_equal(perturbed("jpeg", level, rgb), cv2.imread(str(tmp_path / "picture.jpg"))[..., ::-1])


@pytest.mark.parametrize("kind", [kind for kind, grid in KINDS.items() if grid.stream == "picture"])
@pytest.mark.parametrize("size", [(1, 1), (3, 17), (31, 40)])
def test_any_size_and_missing_pictures_pass_through(kind, size):
    rgb = moving(size)[0]
    source = [GridFrame(0, None), GridFrame(1, rgb), GridFrame(2, None), GridFrame(3, rgb), GridFrame(4, rgb[:1])]
    level = len(KINDS[kind].levels)
    given = list(Perturbation(kind, level).pictures(source, fps=16))
    assert [frame.index for frame in given] == list(range(5))
    shapes = [None if frame.rgb is None else frame.rgb.shape for frame in given]
    assert shapes == [None, rgb.shape, None, rgb.shape, rgb[:1].shape]


def test_a_held_picture_is_changed_once():
    rgb = moving((64, 64))[0]
    given = list(Perturbation("gaussian-noise", 3).pictures([GridFrame(0, rgb), GridFrame(1, rgb)], fps=16))
    assert given[0].rgb is given[1].rgb

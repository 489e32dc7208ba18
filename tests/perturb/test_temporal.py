"""Which frames are touched, and with what."""

import numpy as np
import pytest

from hashformer.media.recode import recode_frames
from hashformer.media.video import GridFrame
from hashformer.perturb import Perturbation

from .conftest import FPS, grid_frames, moving

N = 64


@pytest.fixture(scope="module")
def source():
    return moving((48, 64), N)


def perturbed(kind, level, pictures, seed=0):
    return np.array([frame.rgb for frame in Perturbation(kind, level, seed).pictures(grid_frames(pictures), fps=FPS)])


def touched(given, source):
    return np.flatnonzero((given != source).reshape(len(source), -1).any(1))


@pytest.mark.parametrize(("level", "fps"), [(1, 10), (2, 8), (4, 4), (5, 2)])
def test_frame_rate_shows_so_many_pictures_a_second(source, level, fps):
    given = perturbed("frame-rate", level, source)
    shown = [int(np.flatnonzero((source == rgb).reshape(N, -1).all(1))[0]) for rgb in given]
    assert len(set(shown)) == fps * N // FPS
    assert all(0 <= index - number < FPS / fps for index, number in enumerate(shown)), "held, never ahead"


@pytest.mark.parametrize(("kind", "level", "codec", "crf"), [("h264", 3, "h264", 37), ("h265", 1, "hevc", 27)])
def test_compression_is_one_round_trip_of_the_whole_film(source, kind, level, codec, crf):
    expected = recode_frames(np.moveaxis(source, -1, 1), codec=codec, crf=crf, fps=FPS)
    assert np.array_equal(perturbed(kind, level, source), np.moveaxis(expected, 1, -1))


def test_the_literatures_compression_has_its_own_levels(source):
    for level, crf in enumerate((30, 32, 35, 38, 40), start=1):
        expected = recode_frames(np.moveaxis(source, -1, 1), codec="h264", crf=crf, fps=FPS)
        assert np.array_equal(perturbed("video-compression", level, source), np.moveaxis(expected, 1, -1))


@pytest.mark.parametrize(("level", "reach"), [(1, 1), (3, 3), (5, 6)])
def test_motion_blur_is_the_mean_of_the_neighbours(source, level, reach):
    given = perturbed("motion-blur", level, source)
    for index in (0, 2, 30, N - 1):
        near = source[max(0, index - reach) : index + reach + 1].astype(float)
        assert np.abs(given[index] - near.mean(0)).max() <= 0.5 + 1e-9


def test_motion_blur_does_not_smear_over_a_gap(source):
    frames = [GridFrame(0, source[0]), GridFrame(1, None), GridFrame(2, source[2])]
    given = list(Perturbation("motion-blur", 1).pictures(frames, fps=FPS))
    assert np.array_equal(given[0].rgb, source[0])
    assert given[1].rgb is None


@pytest.mark.parametrize(("level", "count"), [(1, 2), (3, 8), (5, 24)])
def test_black_frames_are_so_many_in_each_group_of_32(source, level, count):
    hit = touched(perturbed("black-frames", level, source), source)
    assert [int((hit // 32 == group).sum()) for group in range(2)] == [count, count]
    assert not perturbed("black-frames", level, source)[hit].any()


@pytest.mark.parametrize(("level", "count"), [(1, 8), (2, 16), (3, 24)])
@pytest.mark.parametrize("seed", range(4))
def test_corrupted_frames_lie_in_a_row_or_in_blocks_of_four(source, level, count, seed):
    run = touched(perturbed("corrupted-run", level, source, seed), source)
    for group in range(2):
        of_group = run[run // 32 == group]
        assert len(of_group) == count
        assert np.ptp(of_group) == count - 1
    blocks = touched(perturbed("corrupted-blocks", level, source, seed), source)
    assert len(blocks) == 2 * count
    assert np.bincount(blocks // 4, minlength=16).tolist().count(4) == count // 2


def test_a_corrupted_frame_keeps_half_of_its_blocks(source):
    given = perturbed("corrupted-run", 3, source)
    index = int(touched(given, source)[0])
    same = (given[index] == source[index]).reshape(3, 16, 4, 16, 3).all((1, 3, 4))
    assert 0.4 <= same.mean() <= 0.6


def test_streams_are_read_as_they_are_given():
    """No kind waits for the end of the film: at most 30 pictures are held."""
    source = moving((32, 32), 1)[0]
    for kind in ("frame-rate", "video-compression", "h265", "motion-blur", "black-frames", "corrupted-run"):
        taken = 0

        def film():
            nonlocal taken
            for index in range(200):
                taken = index
                yield GridFrame(index, np.roll(source, index, axis=1))

        ahead = [taken - frame.index for frame in Perturbation(kind, 1).pictures(film(), fps=FPS)]
        assert len(ahead) == 200
        assert max(ahead) <= 30, kind

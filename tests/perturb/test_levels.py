"""What holds of every kind: level 0 is the identity, each level is worse, chance hangs on the seed alone."""

from itertools import pairwise

import numpy as np
import pytest

from hashformer.errors import ConfigError
from hashformer.perturb import KINDS, LITERATURE, Perturbation
from hashformer.perturb.temporal import TIME_CHANGES

from .conftest import FPS, RATE_HZ, blocks_of, grid_frames, moving, psnr, snr

PICTURE = [kind for kind, grid in KINDS.items() if grid.stream == "picture"]
SOUND = [kind for kind, grid in KINDS.items() if grid.stream == "sound"]
RANDOM = {"block-wise", "block-wise-crop", "gaussian-noise", "black-frames", "corrupted-run", "corrupted-blocks"}


def pictures(kind, level, source, seed=0):
    given = list(Perturbation(kind, level, seed).pictures(grid_frames(source), fps=FPS))
    assert [frame.index for frame in given] == list(range(len(source)))
    return np.array([frame.rgb for frame in given])


def sound(kind, level, waveform, seed=0, **kwargs):
    given = list(Perturbation(kind, level, seed).sound(blocks_of(waveform, **kwargs), sample_rate_hz=RATE_HZ))
    return np.concatenate([block.samples for block in given])


@pytest.fixture(scope="module")
def small():
    """64 frames of 224 px: two groups of 32."""
    return moving((224, 224), 64)


@pytest.fixture(scope="module")
def full_hd():
    return moving((1080, 1920), 2)


@pytest.mark.parametrize("kind", PICTURE)
def test_each_level_is_worse_than_the_one_before_on_224_px(kind, small):
    source = small if kind in TIME_CHANGES else small[:2]
    if kind == "block-wise":
        source = moving((256, 256), 2)  # below that the kind does nothing, which is tested beside
    before = source.copy()
    quality = [psnr(source, pictures(kind, level, source)) for level in range(len(KINDS[kind].levels) + 1)]
    assert quality[0] > 99, "level 0 is the identity"
    assert all(better - worse > 0.1 for better, worse in pairwise(quality)), quality
    assert np.array_equal(source, before), "what is given is not written to"


@pytest.mark.parametrize("kind", [kind for kind in PICTURE if kind not in TIME_CHANGES])
def test_each_level_is_worse_than_the_one_before_on_1080p(kind, full_hd):
    quality = [psnr(full_hd[:1], pictures(kind, level, full_hd[:1])) for level in (1, 3, 5)]
    assert all(better - worse > 0.1 for better, worse in pairwise(quality)), quality


@pytest.mark.parametrize("kind", ["h264", "motion-blur"])
def test_the_last_level_is_worse_than_the_first_on_a_film_of_1080p(kind):
    source = moving((1080, 1920), 4)
    assert psnr(source, pictures(kind, 1, source)) > psnr(source, pictures(kind, 5, source)) + 0.5


@pytest.mark.parametrize("kind", SOUND)
def test_each_level_of_sound_is_worse_than_the_one_before(kind, speech):
    quality = [snr(speech, sound(kind, level, speech)) for level in range(6)]
    assert quality[0] > 60
    assert all(better - worse > 0.1 for better, worse in pairwise(quality)), quality


@pytest.mark.parametrize("kind", PICTURE)
def test_chance_hangs_on_the_seed_alone(kind):
    source = moving((256, 256), 40 if kind in TIME_CHANGES else 2)
    assert np.array_equal(pictures(kind, 2, source, seed=3), pictures(kind, 2, source, seed=3))
    assert np.array_equal(pictures(kind, 2, source, seed=3), pictures(kind, 2, source, seed=4)) == (kind not in RANDOM)


@pytest.mark.parametrize("kind", SOUND)
def test_chance_in_sound_hangs_on_the_seed_alone(kind, speech):
    is_random = kind in {"white-noise", "reverberation"}
    assert np.array_equal(sound(kind, 3, speech, seed=3), sound(kind, 3, speech, seed=3))
    assert np.array_equal(sound(kind, 3, speech, seed=3), sound(kind, 3, speech, seed=4)) == (not is_random)


def test_a_kind_of_one_stream_leaves_the_other_alone(small, speech):
    assert np.array_equal(pictures("gain", 5, small[:2]), small[:2])
    assert np.array_equal(sound("contrast", 5, speech), speech)


def test_the_literatures_kinds_and_all_levels_are_there():
    pictures_alone = ("saturation", "contrast", "block-wise", "gaussian-noise", "gaussian-blur", "pixelation")
    assert (*pictures_alone, "video-compression") == LITERATURE
    three = {"corrupted-run", "corrupted-blocks"}
    assert all(len(grid.levels) == (3 if kind in three else 5) for kind, grid in KINDS.items())


def test_wrong_use_is_named():
    with pytest.raises(ConfigError, match="no perturbation 'fog'"):
        Perturbation("fog", 1)
    with pytest.raises(ConfigError, match="corrupted-run has the levels 0 to 3, got 4"):
        Perturbation("corrupted-run", 4)
    with pytest.raises(ConfigError, match="negative"):
        Perturbation("gain", 1, seed=-1)

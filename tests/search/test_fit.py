"""Fitting: codes are spread evenly, the threshold is measured, and too little is refused."""

from dataclasses import replace

import numpy as np
import pytest

from hashformer.errors import ConfigError
from hashformer.search.fit import MIN_FILES, fit_profile, measure
from hashformer.search.profile import Chance, CodeMap, Profile
from search.made_codes import made_codes, made_vectors


@pytest.fixture(scope="module")
def vectors():
    return [made_vectors(seed) for seed in range(30)]


def test_fitted_codes_are_spread_evenly(vectors):
    profile = fit_profile(vectors, bits=64, fitted_on="made")
    for stream in ("audio", "video"):
        own = np.concatenate([file.streams[stream].own_codes for file in vectors])
        fitted = np.concatenate([profile.encode(file).streams[stream].codes for file in vectors])
        share = {key: np.unpackbits(codes, axis=1).mean(0) for key, codes in {"own": own, "fitted": fitted}.items()}
        assert np.abs(share["own"] - 0.5).mean() > 0.25  # all vectors lie on one side of the origin
        assert np.abs(share["fitted"] - 0.5).mean() < 0.1
        assert profile.chance.spreads[stream].mean == pytest.approx(32, abs=2)
    assert profile.chance.n_files == 30


def test_the_map_survives_being_written(vectors):
    profile = fit_profile(vectors, bits=64, fitted_on="made")
    again = Profile.model_validate_json(profile.model_dump_json())
    assert again == profile
    first, second = (one.encode(vectors[0]).streams["video"].codes for one in (profile, again))
    assert (first == second).all()


def test_a_map_is_an_affine_function_and_a_sign():
    rng = np.random.default_rng(0)
    matrix, offset, x = rng.standard_normal((16, 5)), rng.standard_normal(16), rng.standard_normal((9, 5))
    bits = CodeMap.of(matrix, offset).bits(x.astype(np.float32))
    assert (bits == (x @ matrix.T + offset >= 0)).all()


def test_without_maps_the_models_own_codes_are_taken(vectors):
    codes = Profile().encode(vectors[0])
    assert (codes.streams["audio"].codes == vectors[0].streams["audio"].own_codes).all()


def test_too_few_videos_are_refused(vectors):
    with pytest.raises(ConfigError, match=f"19 videos gave codes, at least {MIN_FILES} different ones"):
        fit_profile(vectors[:19], bits=64, fitted_on="made")
    empty = [replace(made_codes(seed), streams={}) for seed in range(30)]
    with pytest.raises(ConfigError, match="0 videos have 8 windows or more"):
        measure(empty)


def test_a_few_that_are_there_twice_do_not_move_the_threshold():
    files = [made_codes(seed) for seed in range(40)]
    twice = [replace(file, sha256="d" * 64) for file in files[:2]]
    plain, doubled = measure(files), measure([*files, *twice])
    # What one match in a hundred searches takes.
    needed = [chance.location + np.log(100) / chance.rate for chance in (plain, doubled)]
    assert needed[1] == pytest.approx(needed[0], rel=0.35)


def test_more_is_expected_of_a_larger_index():
    chance = Chance(spreads={}, location=2.0, rate=1.0, n_files=101)
    assert chance.expected(5.0, 1000) == pytest.approx(10 * chance.expected(5.0, 100))
    assert chance.expected(9.0, 100) < chance.expected(5.0, 100)
    assert np.isfinite(chance.expected(-1e6, 100))


def test_short_videos_give_a_map_and_no_threshold():
    profile = fit_profile([made_vectors(seed, seconds=2) for seed in range(30)], bits=64, fitted_on="made")
    assert set(profile.maps) == {"audio", "landmarks", "video"}
    assert profile.chance is None

"""Matches: copies are found at the right time, others are not, and the stretch is the one that matches."""

from dataclasses import replace

import numpy as np
import pytest

from hashformer.search import match as module
from hashformer.search.bank import Bank
from hashformer.search.codes import FileCodes, StreamCodes, hamming
from hashformer.search.fit import measure
from hashformer.search.hamming import Neighbours
from hashformer.search.match import find
from search.made_codes import STREAMS, copy_of, made_codes

N_FILES = 40


@pytest.fixture(scope="module")
def files():
    return [made_codes(seed) for seed in range(N_FILES)]


@pytest.fixture(scope="module")
def bank(files):
    return Bank(files)


@pytest.fixture(scope="module")
def chance(files):
    return measure(files)


def test_the_nearest_are_those_that_a_slow_search_finds():
    rng = np.random.default_rng(3)
    codes, queries = rng.integers(0, 256, (500, 8), np.uint8), rng.integers(0, 256, (7, 8), np.uint8)
    distances, places = Neighbours(codes).nearest(queries, 20)
    slow = hamming(queries, codes)
    assert (distances == np.sort(slow, axis=1)[:, :20]).all()
    assert (np.take_along_axis(slow, places, axis=1) == distances).all()
    assert Neighbours(codes[:3]).nearest(queries, 20)[0].shape == (7, 3)


@pytest.mark.parametrize("trim_s", [0.0, 2.0])
@pytest.mark.parametrize("flips", [0.0, 0.1])
def test_a_copy_is_found_with_its_offset(files, bank, chance, trim_s, flips):
    for place in range(0, N_FILES, 5):
        query = copy_of(files[place], trim_s=trim_s, flips=flips, seed=place)
        best = find(query, bank, chance.spreads)[0]
        assert best.place == place
        assert best.offset_s == pytest.approx(trim_s)
        assert (best.start_s, best.end_s) == pytest.approx((0.0, query.duration_s))
        assert best.n_windows == best.n_compared == query.n_windows
        assert best.distance == pytest.approx(flips, abs=0.03)
        assert chance.expected(best.evidence, N_FILES) < 1e-3


def test_an_unknown_file_is_not_found(bank, chance):
    expected = []
    for seed in range(1000, 1030):
        matches = find(made_codes(seed), bank, chance.spreads)
        expected.append(min((chance.expected(match.evidence, N_FILES) for match in matches), default=9.0))
    assert min(expected) > 1e-3
    assert np.mean(np.array(expected) <= 0.01) <= 0.07


def test_the_expected_number_is_what_chance_gives(files, chance):
    """Of searches for unknown files, about a tenth reach the evidence of which a tenth of a match is expected."""
    bank = Bank(files)
    best = [
        max((match.evidence for match in find(made_codes(seed), bank, chance.spreads)), default=0.0)
        for seed in range(2000, 2040)
    ]
    reached = np.mean([chance.expected(evidence, N_FILES) <= 0.1 for evidence in best])
    assert 0.01 <= reached <= 0.3


def test_a_part_of_a_longer_video_is_found_with_its_seconds(files, bank, chance):
    part, other = files[7], made_codes(500, seconds=30)
    first = 20  # windows of the other video, then the known one, then the other again
    streams = {}
    for name in STREAMS:
        codes = other.streams[name].codes.copy()
        codes[first : first + len(part.streams[name])] = part.streams[name].codes
        streams[name] = replace(other.streams[name], codes=codes)
    best = find(replace(other, streams=streams), bank, chance.spreads)[0]
    assert best.place == 7
    assert best.offset_s == pytest.approx(-10)
    assert (best.start_s, best.end_s) == pytest.approx((10.0, 20.0), abs=0.6)


def test_one_stream_is_enough_and_none_is_nothing(files, bank, chance):
    for name in STREAMS:
        query = replace(copy_of(files[3], flips=0.05), streams={name: files[3].streams[name]})
        assert find(query, bank, chance.spreads)[0].place == 3
    assert find(replace(files[3], streams={}), bank, chance.spreads) == []
    assert find(files[3], bank, {}) == []


def test_faces_may_change_their_numbers(files, bank, chance):
    streams = {
        name: replace(part, tracks=part.tracks + (4 if name != "audio" else 0))
        for name, part in files[5].streams.items()
    }
    assert find(replace(files[5], streams=streams), bank, chance.spreads)[0].place == 5


def test_the_distance_to_a_window_is_the_least_over_faces_and_neighbours():
    rng = np.random.default_rng(5)
    starts = np.repeat(np.arange(6, dtype=np.float32) / 2, 2)
    known = StreamCodes(
        starts_s=starts, tracks=np.tile(np.array([0, 1], np.int32), 6), codes=rng.integers(0, 256, (12, 8), np.uint8)
    )
    query = StreamCodes(
        starts_s=np.array([0.0, 0.5], np.float32),
        tracks=np.zeros(2, np.int32),
        codes=rng.integers(0, 256, (2, 8), np.uint8),
    )
    distances = hamming(query.codes, known.codes)
    wanted = {
        float(start): int(distances[row][np.abs(starts - start - 0.75) <= 0.251].min())
        for row, start in enumerate(query.starts_s)
    }
    assert module._aligned(query, known, 0.75) == wanted


def test_the_best_stretch_is_that_of_a_slow_search():
    rng = np.random.default_rng(8)
    for _ in range(200):
        gains = rng.standard_normal(rng.integers(1, 12)).tolist()
        sums = {(i, j): sum(gains[i:j]) for i in range(len(gains)) for j in range(i + 1, len(gains) + 1)}
        best, first, last = module._best_stretch(gains)
        assert best == pytest.approx(max(0.0, *sums.values()))
        assert sum(gains[first:last]) == pytest.approx(best)


def test_an_empty_index_finds_nothing(files, chance):
    assert find(files[0], Bank([]), chance.spreads) == []
    empty = FileCodes(sha256="e" * 64, name="", duration_s=1, window_s=1, streams={})
    assert find(files[0], Bank([empty]), chance.spreads) == []

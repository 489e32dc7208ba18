"""The index as a whole: answers with their state, and what was measured is kept."""

from dataclasses import dataclass, field

import pytest

from hashformer.errors import WeightsError
from hashformer.results import WeightsInfo
from hashformer.search.fit import fit_profile
from hashformer.search.index import MAX_EXPECTED, HashIndex, profile_of
from hashformer.search.store import Store
from search.made_codes import made_vectors

WEIGHTS = WeightsInfo(name="some", sha256="a" * 64, trained=True)


@dataclass
class Weights:
    """Stands for a coder where nothing is coded."""

    weights: WeightsInfo = WEIGHTS
    extra: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def profile():
    return fit_profile([made_vectors(seed) for seed in range(100, 160)], bits=64, fitted_on="made")


def index(folder, **kwargs):
    return HashIndex(folder, Weights(), create=True, **kwargs)


def test_a_copy_is_found_with_its_seconds_and_a_stranger_is_not(tmp_path, profile):
    with index(tmp_path, profile=profile) as known:
        known.add([made_vectors(seed) for seed in range(30)])
        answer = known.search(made_vectors(7))
        stranger = known.search(made_vectors(999))
    assert answer.status == "found"
    first = answer.found[0]
    assert (first.name, first.distance, first.windows, first.compared) == ("file 7.mp4", 0, 19, 19)
    assert (first.query.start_s, first.query.end_s) == (first.known.start_s, first.known.end_s) == (0, 10)
    assert first.expected <= MAX_EXPECTED
    assert stranger.status == "not_found"
    assert stranger.found == []
    assert all(candidate.expected > MAX_EXPECTED for candidate in stranger.candidates)


def test_the_profile_of_the_index_counts_and_not_that_of_the_caller(tmp_path, profile):
    index(tmp_path, profile=profile).__exit__()
    with index(tmp_path) as again:
        assert again.profile == profile


def test_a_profile_comes_with_the_weights(profile):
    assert profile_of(Weights(extra={"search": profile.model_dump_json()})) == profile
    assert profile_of(Weights()).maps == {}
    with pytest.raises(WeightsError, match="its search profile cannot be read"):
        profile_of(Weights(extra={"search": "{}}"}))


def test_without_a_fit_the_threshold_is_measured_once_there_are_enough(tmp_path):
    with index(tmp_path) as known:
        known.add([made_vectors(seed) for seed in range(19)])
        answer = known.search(made_vectors(3))
        assert answer.status == "cannot_tell"
        assert "holds 19 files" in answer.reason
        known.add([made_vectors(19)])
        assert known.search(made_vectors(3)).status in {"found", "not_found"}
    with Store(tmp_path) as store:
        assert store.chance.n_files == 20


def test_a_query_that_cannot_be_compared_is_said_to_be_so(tmp_path):
    silent = [made_vectors(seed, streams=("video",)) for seed in range(30)]
    with index(tmp_path, profile=fit_profile(silent, bits=64, fitted_on="silent")) as known:
        known.add(silent)
        answer = known.search(made_vectors(50, streams=("audio",)))
        nothing = known.search(made_vectors(51, streams=()))
    assert answer.status == nothing.status == "cannot_tell"
    assert "has only audio" in answer.reason
    assert "nothing in the file could be coded" in nothing.reason

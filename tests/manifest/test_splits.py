import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.data.manifest import SPLITS, Row
from hashformer.data.splits import Leak, components, identity_disjoint, identity_drop, leaks, official
from hashformer.errors import ManifestError


def row(i, source, target="", **given):
    return Row(path=f"{i}.mp4", label=int(bool(target)), identity_source=source, identity_target=target, **given)


people = st.integers(0, 30).map(lambda i: f"p{i}")
many = st.lists(st.tuples(people, st.one_of(st.just(""), people)), min_size=1, max_size=60)


def rows_of(pairs):
    return [row(i, source, target) for i, (source, target) in enumerate(pairs)]


@settings(deadline=None)  # the machine is shared
@given(many, st.integers(0, 5))
def test_nobody_is_in_two_splits(pairs, seed):
    rows = rows_of(pairs)
    fractions = (0.6, 0.2, 0.2)
    try:
        divided = identity_disjoint(rows, seed=seed, fractions=fractions)
    except ManifestError:  # too much hangs together, which another test looks at
        return
    assert [r.path for r in divided] == [r.path for r in rows]
    assert {r.split for r in divided} == set(SPLITS)
    assert leaks(divided) == []


@settings(deadline=None)  # the machine is shared
@given(many, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(pairs, shuffler):
    rows = rows_of(pairs)
    other = list(rows)
    shuffler.shuffle(other)
    first = {r.path: r.split for r in identity_disjoint(rows, seed=3, fractions=(1, 0, 0))}
    assert set(first.values()) == {"train"}
    try:
        first = {r.path: r.split for r in identity_disjoint(rows, seed=3, fractions=(0.5, 0, 0.5))}
    except ManifestError:
        return
    assert {r.path: r.split for r in identity_disjoint(other, seed=3, fractions=(0.5, 0, 0.5))} == first


@settings(deadline=None)  # the machine is shared
@given(many)
def test_components_are_those_of_a_plain_search(pairs):
    rows = rows_of(pairs)
    reached = {frozenset(_reach(rows, i)) for i in range(len(rows))}
    assert {frozenset(part) for part in components(rows)} == reached


def _reach(rows, start):
    seen, todo = {start}, [start]
    while todo:
        here = rows[todo.pop()]
        near = {i for i, other in enumerate(rows) if here.identities & other.identities} - seen
        seen |= near
        todo += near
    return seen


def test_shares_are_met_for_both_classes():
    rows = [row(f"{i}-{k}", f"p{i}", f"p{i}" if k else "") for i in range(100) for k in range(5)]
    divided = identity_disjoint(rows, seed=7, fractions=(0.7, 0.1, 0.2))
    counts = [[sum(r.split == s and r.label == label for r in divided) for s in SPLITS] for label in (0, 1)]
    assert counts == [[70, 10, 20], [280, 40, 80]]


def test_the_seed_decides():
    rows = [row(i, f"p{i}") for i in range(40)]
    same, other = identity_disjoint(rows, seed=1), identity_disjoint(rows, seed=2)
    assert identity_disjoint(rows, seed=1) == same
    assert same != other


def test_originals_tie_files_that_name_nobody():
    rows = [Row(path=f"r{i}.mp4", label=0, identity_source=f"p{i}") for i in range(10)]
    rows += [Row(path=f"f{i}.mp4", label=1, original=f"r{i}.mp4") for i in range(10)]
    split_of = {r.path: r.split for r in identity_disjoint(rows, fractions=(0.6, 0.2, 0.2))}
    assert all(split_of[f"f{i}.mp4"] == split_of[f"r{i}.mp4"] for i in range(10))


def test_the_same_name_in_two_corpora_is_two_people():
    rows = [row(1, "10", corpus="kodf", split="train"), row(2, "10", corpus="deepspeak", split="test")]
    assert leaks(rows) == []


def test_a_leak_through_a_target_is_found():
    rows = [row(1, "a", split="train"), row(2, "b", "c;a", split="test"), row(3, "a", split="train"), row(4, "a")]
    assert leaks(rows) == [Leak(":a", {"train": 2, "test": 1})]


def test_a_component_that_is_too_large_is_told():
    ring = [row(i, f"p{i}", f"p{(i + 1) % 20}") for i in range(20)]
    with pytest.raises(
        ManifestError, match=r"form 1 groups that share people, the largest holds 100%\. Use --split id"
    ):
        identity_disjoint(ring)
    reals = [row(f"r{i}", f"p{i}") for i in range(20)]
    kept = identity_drop([*ring, *reals], fractions=(0.6, 0.2, 0.2))
    assert leaks(kept) == []
    assert {r.split for r in kept} == set(SPLITS)
    assert 20 <= len(kept) < 40


def test_dropping_may_not_empty_a_split():
    crowd = [row(f"{i}-{k}", f"p{i}", f"p{k}") for i in range(10) for k in range(10) if i != k]
    with pytest.raises(ManifestError, match="would get no row: every row there shows people of another split"):
        identity_drop(crowd, fractions=(0.8, 0.1, 0.1))


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.5), (-0.2, 0.6, 0.6), (0, 0.5, 0.5)])
def test_shares_must_be_shares(fractions):
    with pytest.raises(ManifestError, match="must add up to 1"):
        identity_disjoint([row(1, "a")], fractions=fractions)


def test_what_cannot_be_split():
    nobody = [Row(path="a.mp4", label=0, corpus="dfdc")]
    with pytest.raises(ManifestError, match="no row names a person"):
        identity_disjoint(nobody)
    with pytest.raises(ManifestError, match="dfdc has no official split here"):
        official(nobody)
    given = [row(1, "a", split="val")]
    assert official(given) == given


def test_large_corpora_are_split_quickly():
    draw = random.Random(0)
    rows = [
        row(i, f"p{draw.randrange(5000)}", f"p{draw.randrange(5000)}" if i % 50 == 0 else "") for i in range(20_000)
    ]
    assert leaks(identity_disjoint(rows)) == []

"""Forged sets: labelled right, the same bytes each time, resumable, and told apart by nothing but the forgery."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from hashformer.config.forge import ForgeryChances
from hashformer.config.forged_set import ForgedSetConfig
from hashformer.data.audit import audit
from hashformer.data.forged_set import write_forged_set
from hashformer.data.labels import clip_labels
from hashformer.data.manifest import read_manifest
from hashformer.data.splits import leaks
from hashformer.errors import ConfigError, StoreError
from hashformer.media import probe
from hashformer.media.audio import blocks
from hashformer.timebase import Window
from make_corpus import make_corpus
from talkers import CONFIG, make_talkers
from trivial_classifier import aucs, file_statistics

NONE = dict.fromkeys(ForgeryChances.model_fields, 0.0)
MIXED = ("resynthesis", "mouth_splice", "frame_repeat", "sound_shift", "sound_swap_other", "vocoder_griffin_lim")
HERE = Path(__file__).parent


def settings(*kinds, **changes):
    forge = {"chances": NONE | dict.fromkeys(kinds or MIXED, 1.0)}
    return ForgedSetConfig.parse({"forge": forge, "max_s": 2.0} | changes)


def write(rows, root, out, *kinds, limit=0, workers=1, on_outcome=None, **changes):
    return write_forged_set(
        rows,
        root,
        out,
        config=CONFIG,
        settings=settings(*kinds, **changes),
        limit=limit,
        workers=workers,
        on_outcome=on_outcome,
    )


def contents(out):
    return {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    root = tmp_path_factory.mktemp("people")
    return make_talkers(root, 16, splits=("train", "val")), root


@pytest.fixture(scope="module")
def forged(people, tmp_path_factory):
    out = tmp_path_factory.mktemp("forged") / "set"
    rows, root = people
    return write(rows, root, out, per_clip=2), out


def decoded(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def heard(path):
    return np.concatenate([block.samples for block in blocks(path, sample_rate_hz=16_000)])


def groups_of(rows):
    groups = {row.path: [row] for row in rows if row.label == 0}
    for row in rows:
        if row.label == 1:
            groups[row.original].append(row)
    return list(groups.values())


def test_every_real_clip_has_its_forgeries_and_each_its_labels(forged, people):
    made, out = forged
    rows = read_manifest(out / "manifest.csv")
    assert (made.n_files, made.n_done, made.failures, made.empty) == (16, 16, [], [])
    assert made.kinds == Counter(row.method for row in rows if row.label)
    assert set(made.kinds) <= set(MIXED)
    groups = groups_of(rows)
    assert sorted(map(len, groups)) == [3] * 16
    sources = {person.identity_source: person for person in people[0]}
    for real, *fakes in groups:
        assert (real.label, real.method, real.video_fake, real.audio_fake, real.sync_fake) == (
            *(0, "real"),
            *(False, False, False),
        )
        assert real.split == sources[real.identity_source].split
        assert real.groups == {"light": "x"}
        assert len({fake.method for fake in fakes}) == 2
        for fake in fakes:
            assert (fake.split, fake.corpus, fake.identity_target) == (real.split, "drawn", real.identity_source)
            assert bool(fake.video_fake) == (fake.method in {"resynthesis", "mouth_splice", "frame_repeat"})
            assert bool(fake.audio_fake) == (fake.method == "vocoder_griffin_lim")
            assert (fake.identity_source == real.identity_source) == (fake.method != "sound_swap_other")
            assert sources[fake.identity_source].split == real.split
    assert leaks(rows) == []


def test_spans_are_seconds_of_the_film(forged):
    out = forged[1]
    for row in read_manifest(out / "manifest.csv"):
        duration_s = probe(out / row.path).duration_s
        flags = {"video": row.video_fake, "audio": row.audio_fake, "sync": row.sync_fake}
        for start_s, end_s, modality in row.fake_segments:
            assert 0 <= start_s < end_s <= duration_s + 0.07
            assert flags[modality]
        assert {s.modality for s in row.fake_segments} == {name for name, fake in flags.items() if fake}
        whole = clip_labels(row, Window(0, round(duration_s * 16), 16))
        assert whole["overall"] == row.label
        assert whole["video"] == (row.video_fake or 0)


def test_what_a_forgery_leaves_alone_is_that_of_the_real_clip(forged):
    out = forged[1]
    for real, *fakes in groups_of(read_manifest(out / "manifest.csv")):
        for fake in fakes:
            same_picture = np.array_equal(decoded(out / real.path), decoded(out / fake.path))
            same_sound = np.array_equal(heard(out / real.path), heard(out / fake.path))
            in_sound = fake.method.startswith(("sound", "vocoder"))
            # Loudness is levelled over the group, so that sound can only be compared up to that.
            assert same_picture == in_sound
            assert not (in_sound and same_sound)


def test_films_of_a_group_are_of_one_size_and_length(forged):
    out = forged[1]
    rows = read_manifest(out / "manifest.csv")
    for group in groups_of(rows):
        numbers = np.array([file_statistics(out / row.path) for row in group])
        np.testing.assert_array_equal(numbers[:, :-3], numbers[:1, :-3].repeat(3, 0))
        np.testing.assert_allclose(numbers[:, -3], numbers[0, -3], atol=2e-3)  # leading silence, seconds
        np.testing.assert_allclose(numbers[:, -2], numbers[0, -2], atol=0.5)  # loudness, decibels
    sizes = {(out / row.path).stat().st_size for row in rows}
    assert len(sizes) > 8  # of different people they differ


def test_neither_audit_nor_a_trivial_classifier_finds_a_shortcut(forged):
    out = forged[1]
    rows = read_manifest(out / "manifest.csv")
    found = audit(rows, out, workers=1)
    assert (found.shortcuts, found.unreadable, found.leaks, found.torn) == ([], {}, (), ())
    together, single = aucs(out, folds=4)
    assert max(together.values()) <= 0.55, together
    assert max(single.values()) <= 0.6, single
    assert [row.path for row in rows] == sorted(row.path for row in rows)
    names = sorted(row.path for row in rows)
    first = np.mean([row.label == 0 for row in rows if row.path in names[: len(names) // 2]])
    assert 0.1 < first < 0.6  # names do not sort by label


def test_the_classifier_would_find_a_shortcut(forged, tmp_path):
    out = forged[1]
    (tmp_path / "clips").mkdir()
    (tmp_path / "manifest.csv").write_bytes((out / "manifest.csv").read_bytes())
    for row in read_manifest(out / "manifest.csv"):
        content = (out / row.path).read_bytes()
        (tmp_path / row.path).write_bytes(content + b"\0\0\0\x08free" * (20_000 if row.label else 0))
    together, _ = aucs(tmp_path, folds=4)
    assert together["trees"] > 0.6


def test_sidecars_tell_where_it_all_comes_from(forged, people):
    out = forged[1]
    facts = json.loads((out / "facts.json").read_text())
    assert (facts["n_files"], facts["n_real"], facts["n_failed"]) == (16, 16, 0)
    assert sum(facts["n_forged"].values()) == 32
    assert facts["settings"]["per_clip"] == 2
    with (out / "sources.csv").open(newline="") as file:
        sources = list(csv.DictReader(file))
    assert {line["source"] for line in sources} == {row.path for row in people[0]}
    assert len(sources) == 48
    assert len(list((out / "previews").glob("*.jpg"))) == 16


def test_the_same_seed_gives_the_same_bytes_in_any_number_of_processes(people, forged, tmp_path):
    rows, root = people
    write(rows, root, tmp_path / "again", per_clip=2, limit=4, workers=2)
    again, before = contents(tmp_path / "again"), contents(forged[1])
    films = [path for path in again if path.suffix in {".mp4", ".jpg"}]
    assert len(films) == 4 * 4
    assert all(again[path] == before[path] for path in films)
    write(rows, root, tmp_path / "other", limit=1, seed=1)
    assert not {path for path in contents(tmp_path / "other") if path.suffix == ".mp4"} & set(before)


def test_a_finished_group_is_not_made_again_and_a_lost_film_is(people, tmp_path):
    rows, root = people
    out = tmp_path / "set"
    write(rows, root, out, limit=3)
    before = contents(out)
    lost = out / read_manifest(out / "manifest.csv")[0].path
    lost.unlink()
    statuses = []
    made = write(rows, root, out, limit=4, on_outcome=lambda outcome: statuses.append(outcome.status))
    assert Counter(statuses) == {"skipped": 2, "done": 2}
    assert (made.n_skipped, made.n_done, made.n_real) == (2, 2, 4)
    after = contents(out)
    assert all(after[path] == content for path, content in before.items() if path.suffix in {".mp4", ".jpg"})
    with pytest.raises(StoreError, match="of other files or settings"):
        write(rows, root, out, limit=3, seed=5)


@pytest.mark.slow
def test_a_killed_run_leaves_no_broken_film_and_goes_on(people, tmp_path):
    rows, root = people
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    write(rows, root, whole, limit=6)
    script = (
        f"import sys; sys.path.insert(0, {str(HERE.parent)!r}); sys.path.insert(0, {str(HERE)!r})\n"
        "from pathlib import Path\n"
        "from test_forged_set import write, make_talkers\n"
        "from hashformer.data.manifest import read_manifest\n"
        f"write(read_manifest(Path({str(tmp_path / 'rows.csv')!r})), Path({str(root)!r}), Path({str(cut)!r}), limit=6)"
    )
    from hashformer.data.manifest import write_manifest

    write_manifest(rows, tmp_path / "rows.csv")
    process = subprocess.Popen([sys.executable, "-c", script])
    while process.poll() is None and len(list(cut.glob("clips/*.mp4"))) < 3:
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for film in cut.glob("clips/[!.]*.mp4"):
        assert film.read_bytes() == (whole / "clips" / film.name).read_bytes()
    assert not (cut / "manifest.csv").exists()
    write(rows, root, cut, limit=6)
    left = {path: content for path, content in contents(cut).items() if path.suffix in {".mp4", ".csv", ".jpg"}}
    known = {path: content for path, content in contents(whole).items() if path.suffix in {".mp4", ".csv", ".jpg"}}
    assert {p: c for p, c in left.items() if not p.name.startswith(".")} == known


def test_silent_and_blind_files_are_forged_in_what_they_have(tmp_path):
    rows = make_corpus(tmp_path / "prepared")
    out = tmp_path / "set"
    made = write(rows, tmp_path / "prepared", out, "resynthesis", "vocoder_griffin_lim")
    assert made.n_files == 5  # the corpus's own fake is left out
    for real, *fakes in groups_of(read_manifest(out / "manifest.csv")):
        info = probe(out / real.path)
        for fake in fakes:
            assert (fake.video_fake is None) == (info.video is None) == (real.video_fake is None)
            assert (fake.audio_fake is None) == (info.audio is None) == (real.audio_fake is None)
            assert (fake.sync_fake is None) == (info.video is None or info.audio is None)


def test_what_cannot_be_forged_or_read_is_listed(people, tmp_path):
    rows, root = people
    out = tmp_path / "set"
    short = make_talkers(tmp_path / "prepared", 3, n_frames=10)
    damaged = tmp_path / "prepared" / short[1].path
    (damaged / "sample.json").write_text("{}")
    made = write(short, tmp_path / "prepared", out)
    assert [name for name, _ in made.failures] == [short[1].path]
    assert [name for name, _ in made.empty] == [short[0].path, short[2].path]
    assert made.empty[0][1] == "shows no face and has no speech for 1 s on end"
    listed = (out / "failures.csv").read_text()
    assert listed.count("empty") == 2
    assert listed.count("failed") == 1
    silent = make_talkers(tmp_path / "silent", 1, sound=False)
    made = write(silent, tmp_path / "silent", tmp_path / "refused", "sound_shift")
    assert made.empty == [(silent[0].path, "allows none of the forgeries: none fits")]
    made = write(rows, root, tmp_path / "alone", "sound_swap_person", limit=1, max_s=1.0)
    assert made.empty == [(rows[0].path, "allows none of the forgeries: sound_swap_person")]
    assert made.refused == {"sound_swap_person": 1}


def test_wrong_settings_are_told_before_anything_is_written(people, tmp_path):
    rows, root = people
    with pytest.raises(StoreError, match="no rows"):
        write([], root, tmp_path / "a")
    with pytest.raises(StoreError, match="were not prepared"):
        write(rows, tmp_path, tmp_path / "b")
    with pytest.raises(ConfigError, match="min_crf must not exceed max_crf"):
        settings(min_crf=30, max_crf=20)

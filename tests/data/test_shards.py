"""Shards give the Clips that folders give, in bounded tar files whose bytes do not depend on the day."""

import csv
import shutil
import tarfile

import numpy as np
import pytest

from hashformer.config import FaceConfig, load_config
from hashformer.data.pack import pack_folders
from hashformer.data.shards import clips_from_folders, clips_from_shards, find_prepared, key_of, shard_addresses
from hashformer.errors import SetupError, StoreError
from hashformer.preprocess.extract import empty_track
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import write_samples
from hashformer.results import MediaInfo
from hashformer.timebase import Window
from hashformer.types import Sample

CONFIG = load_config("tiny")
MEDIA = MediaInfo(container="mov", duration_s=2.0, size_bytes=1, video=None, audio=None)
NAMES = [
    "a.b/man (1).x.mp4",
    "a.b/two faces.mp4",
    "empty.avi",
    "größer 100%.mp4",
    "z/voice.flac",
    f"z/{'long ' * 30}.mp4",
]


def made(n_faces, seed, *, sound=True, n_frames=40):
    rng = np.random.default_rng(seed)
    window = Window(0, n_frames, 16)
    tracks = []
    for track_id in range(n_faces):
        track = empty_track(track_id, window, 32)
        track.crops[5:] = rng.integers(0, 255, (3, 1, 32))
        track.landmarks[5:] = rng.random((n_frames - 5, 478, 2))
        track.boxes[5:] = rng.random((n_frames - 5, 4))
        tracks.append(track)
    n_samples = n_frames * 1000
    return Sample(
        window=window,
        sample_rate_hz=16_000,
        waveform=rng.uniform(-1, 1, n_samples).astype(np.float32) if sound else None,
        waveform_present=np.ones(n_samples, np.bool_) if sound else None,
        picture_present=np.ones(n_frames, np.bool_),
        tracks=tuple(tracks),
    )


def prepare(folder, name, sample, *, faces=CONFIG.faces):
    settings = PrepareSettings(fps=16, sample_rate_hz=16_000, faces=faces)
    source = Source(path=name, sha256="0" * 64, media=MEDIA)
    write_samples(folder / name, [sample], source=source, settings=settings)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    top = tmp_path_factory.mktemp("prepared")
    for seed, name in enumerate(NAMES):
        n_faces = {"a.b/two faces.mp4": 2, "empty.avi": 0, "z/voice.flac": 0}.get(name, 1)
        prepare(top, name, made(n_faces, seed, sound=not name.startswith("a.b")))
    return top


def test_clips_from_shards_are_those_from_folders(prepared, tmp_path):
    pytest.importorskip("webdataset")
    pack_folders(prepared, tmp_path / "shards (1)", max_bytes=600_000)
    folders = find_prepared(prepared)
    ours = list(clips_from_shards(tmp_path / "shards (1)", CONFIG.clip, context_samples=120))
    theirs = list(clips_from_folders(folders, CONFIG.clip, context_samples=120))
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    assert sorted({name for name, _ in ours}) == sorted(NAMES)
    for (_, mine), (_, yours) in zip(ours, theirs, strict=True):
        assert (mine.window, mine.track_id, mine.context_samples) == (yours.window, yours.track_id, 120)
        for name in ("frames", "landmarks", "boxes", "waveform"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(yours, name), err_msg=name)


def test_two_packs_are_equal(prepared, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(prepared, copied, copy_function=shutil.copyfile)  # other times, other inodes
    packs = {}
    for name, source, seed in (("a", prepared, 7), ("b", copied, 7), ("c", prepared, None)):
        pack_folders(source, tmp_path / name, max_bytes=600_000, seed=seed)
        packs[name] = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert packs["a"] == packs["b"] != packs["c"]


def test_shards_are_bounded_and_indexed(prepared, tmp_path):
    done = []
    summary = pack_folders(prepared, tmp_path / "s", max_bytes=600_000, on_packed=lambda *counts: done.append(counts))
    shards = sorted((tmp_path / "s").glob("*.tar"))
    assert [path.name for path in shards] == [f"shard-{k:06d}.tar" for k in range(len(shards))]
    assert (summary.n_packed, summary.n_shards) == (6, len(shards))
    assert len(shards) > 2
    assert max(path.stat().st_size for path in shards) <= 600_000
    assert sum(path.stat().st_size for path in shards) == summary.n_bytes
    assert done[-1] == (6, 6)
    with (tmp_path / "s" / "shards.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["path"] for row in rows) == sorted(NAMES)
    with tarfile.open(shards[0]) as tar:
        names = tar.getnames()
    assert names[0] == "a.b/man (1)%2Ex%2Emp4.sample.json"
    assert {row["path"] for row in rows if row["shard"] == shards[0].name} >= {NAMES[0]}
    assert key_of("a.b/c%.d") == "a.b/c%25%2Ed"


def test_a_file_above_the_limit_has_a_shard_of_its_own(prepared, tmp_path):
    summary = pack_folders(prepared, tmp_path / "s", max_bytes=1)
    assert summary.n_shards == summary.n_packed == 6


def test_a_damaged_folder_is_listed_and_left_out(prepared, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(prepared, copied)
    (copied / "z" / "voice.flac" / "voice.wav").unlink()
    (copied / "empty.avi" / "sample.json").write_text("{")
    summary = pack_folders(copied, tmp_path / "s")
    assert summary.n_packed == 4
    assert [name for name, _ in summary.failures] == ["empty.avi", "z/voice.flac"]
    assert "is missing" in summary.failures[1][1]


def test_a_pack_replaces_only_a_pack(prepared, tmp_path):
    pack_folders(prepared, tmp_path / "s")
    pack_folders(prepared, tmp_path / "s")
    (tmp_path / "mine").mkdir()
    with pytest.raises(StoreError, match=r"holds no shards.csv"):
        pack_folders(prepared, tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "s"]


def test_what_cannot_be_packed_or_read_is_named(tmp_path, monkeypatch):
    with pytest.raises(StoreError, match="holds no prepared files"):
        pack_folders(tmp_path, tmp_path / "s")
    prepare(tmp_path / "p", "a.mp4", made(1, 0))
    prepare(tmp_path / "p", "b.mp4", made(1, 0), faces=FaceConfig(size_px=32, margin=0.5))
    with pytest.raises(StoreError, match="other settings"):
        pack_folders(tmp_path / "p", tmp_path / "s")
    assert not (tmp_path / "s").exists()
    with pytest.raises(StoreError, match="holds no shards"):
        shard_addresses(tmp_path)

    def absent(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("hashformer.data.shards.importlib.import_module", absent)
    with pytest.raises(SetupError, match=r"hashformer\[train\]"):
        next(clips_from_shards(tmp_path, CONFIG.clip))

"""Decoded crops are what the video gives; they appear whole or not at all."""

import errno

import numpy as np
import pytest

from hashformer.errors import StoreError
from hashformer.preprocess import decoded
from hashformer.preprocess.decoded import DECODED_NAME, decode_crops
from hashformer.preprocess.folders import DiskFullError
from hashformer.preprocess.store import read_samples
from make_corpus import make_corpus


@pytest.fixture
def folder(tmp_path):
    return tmp_path / make_corpus(tmp_path)[0].path


def crops(folder, **options):
    return [track.crops for sample in read_samples(folder, **options) for track in sample.tracks]


@pytest.mark.parametrize("options", [{}, {"stretch_s": 1}, {"stretch_s": 1, "from_frame": 20}])
def test_samples_are_the_same_from_decoded_crops(folder, options):
    from_video = crops(folder, **options)
    written = decode_crops(folder)
    assert written > 0
    assert sum(path.stat().st_size for path in folder.rglob(DECODED_NAME)) == written
    for one, other in zip(from_video, crops(folder, **options), strict=True):
        assert np.array_equal(one, other)


def test_what_is_decoded_is_not_decoded_again(folder):
    decode_crops(folder)
    assert decode_crops(folder) == 0


def test_samples_come_from_the_decoded_crops_once_they_are_there(folder):
    decode_crops(folder)
    for video in folder.rglob("cropped_video.mp4"):
        video.unlink()
    assert len(crops(folder)) > 0


def test_a_damaged_array_is_named(folder):
    decode_crops(folder)
    path = next(folder.rglob(DECODED_NAME))
    np.save(path, np.zeros((2, 3, 8, 8), np.uint8))
    with pytest.raises(StoreError, match=r"crops\.npy: holds uint8 \(2, 3, 8, 8\), not the track's crops. Delete it."):
        crops(folder)
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(StoreError, match=r"crops\.npy: cannot be read"):
        crops(folder)


def test_a_full_disk_leaves_nothing_behind(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(decoded.os, "posix_fallocate", full)
    with pytest.raises(DiskFullError, match="the disk is full"):
        decode_crops(folder)
    assert not [path for path in folder.rglob("*.npy") if "crops" in path.name]


def test_crops_that_end_early_are_refused(folder):
    record = folder / "sample.json"
    record.write_text(record.read_text().replace('"n_frames":', '"n_frames": 1', 1))
    whole = record.read_text()
    track = whole.index('"tracks"')
    longer = whole[:track] + whole[track:].replace('"n_frames": ', '"n_frames": 9', 1)
    record.write_text(longer)
    with pytest.raises(StoreError):
        decode_crops(folder)
    assert not list(folder.rglob(DECODED_NAME))

"""Shards give the Examples that folders give, labels and views included."""

import numpy as np
import pytest

from hashformer.config.views import STRONG, WEAK
from hashformer.data.dataset import PreparedClips, clip_loader
from hashformer.data.features import SoundFeatures
from hashformer.data.labelled_shards import ShardClips
from hashformer.data.pack import pack_folders
from hashformer.errors import StoreError
from make_corpus import CONFIG, make_corpus

FEATURES = SoundFeatures(CONFIG.features, sample_rate_hz=CONFIG.clip.sample_rate_hz)
SETTINGS = {"clip": CONFIG.clip, "context_samples": FEATURES.context_samples, "quality": CONFIG.quality}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    pytest.importorskip("webdataset")
    root = tmp_path_factory.mktemp("prepared")
    rows = make_corpus(root)
    shards = tmp_path_factory.mktemp("packed") / "shards"
    pack_folders(root, shards, max_bytes=500_000, rows=rows)
    return rows, root, shards


def test_examples_from_shards_are_those_from_folders(corpus):
    rows, root, shards = corpus
    folders = list(PreparedClips(rows, root, views=(WEAK, STRONG), seed=4, **SETTINGS))
    packed = list(ShardClips(shards, views=(WEAK, STRONG), seed=4, **SETTINGS))
    order = sorted(range(len(packed)), key=lambda i: (packed[i].row_idx, i))
    assert len(packed) == len(folders) > 20
    for mine, yours in zip((packed[i] for i in order), folders, strict=True):
        assert (mine.row_idx, mine.labels, mine.method, mine.corpus) == (
            yours.row_idx,
            pytest.approx(yours.labels, nan_ok=True),
            yours.method,
            yours.corpus,
        )
        for name in ("frames", "landmarks", "waveform"):
            np.testing.assert_array_equal(getattr(mine.clip, name), getattr(yours.clip, name), err_msg=name)
            np.testing.assert_array_equal(getattr(mine.second, name), getattr(yours.second, name), err_msg=name)


def test_the_loader_takes_shards(corpus):
    loaded = next(iter(clip_loader(ShardClips(corpus[2], **SETTINGS), FEATURES, batch_size=100)))
    assert loaded.labels["overall"].tolist() == [float(row == 5) for row in loaded.row_idx]


def test_shards_without_labels_are_refused(corpus, tmp_path):
    pack_folders(corpus[1], tmp_path / "plain")
    with pytest.raises(StoreError, match="packed without a label"):
        next(iter(ShardClips(tmp_path / "plain", **SETTINGS)))

"""From prepared files to labelled batches: every clip once, balanced draws, views that agree."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

from hashformer.config import load_config
from hashformer.config.views import STRONG, WEAK
from hashformer.data.adapters import folder
from hashformer.data.clips import cut
from hashformer.data.dataset import PreparedClips, clip_loader, prepared_rows
from hashformer.data.features import SoundFeatures
from hashformer.data.forge.base import Forged, Span
from hashformer.data.labels import clip_labels
from hashformer.data.manifest import FakeSegment, Row, read_manifest, write_manifest
from hashformer.data.sampling import balanced_weights
from hashformer.errors import ManifestError, StoreError
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import read_samples, write_samples
from hashformer.results import MediaInfo
from hashformer.timebase import Window
from hashformer.types import FaceTrack, Sample
from make_faces import speech_like

CONFIG = load_config("tiny")
FEATURES = SoundFeatures(CONFIG.features, sample_rate_hz=CONFIG.clip.sample_rate_hz)
SIZE = CONFIG.faces.size_px
FPS = CONFIG.clip.fps


def sample(n_frames, seed, *, sound=True, face=True):
    rng = np.random.default_rng(seed)
    window = Window(0, n_frames, FPS)
    landmarks = rng.uniform(8, SIZE - 8, (n_frames, 478, 2)).astype(np.float32)
    smooth = np.linspace(60, 200, SIZE)[None, None, None, :] + rng.integers(0, 40)
    track = FaceTrack(
        track_id=0,
        window=window,
        crops=np.broadcast_to(smooth, (n_frames, 3, SIZE, SIZE)).astype(np.uint8),
        landmarks=landmarks,
        boxes=np.tile(np.array([0, 0, 100, 120], np.float32), (n_frames, 1)),
    )
    n_samples = window.samples(16_000)[1]
    return Sample(
        window=window,
        sample_rate_hz=16_000,
        waveform=speech_like(n_samples / 16_000, seed=seed) if sound else None,
        waveform_present=np.ones(n_samples, np.bool_) if sound else None,
        picture_present=np.ones(n_frames, np.bool_),
        tracks=(track,) if face else (),
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Four real and two fake files of 1 to 4 seconds, one silent, one without a face."""
    root = tmp_path_factory.mktemp("prepared")
    rows = []
    info = MediaInfo(container="mp4", duration_s=None, size_bytes=1, video=None, audio=None)
    for i in range(6):
        fake = i >= 4
        path = f"{'fake' if fake else 'real'}/clip {i} (x).mp4"
        write_samples(
            root / path,
            [sample(16 * (1 + i % 4), i, sound=i != 1, face=i != 2)],
            source=Source(path=path, sha256="0" * 64, media=info),
            settings=PrepareSettings.of(CONFIG),
        )
        rows.append(
            Row(
                path=path,
                label=int(fake),
                video_fake=fake,
                audio_fake=False,
                method="swap" if fake else "real",
                identity_source=f"p{i}",
            )
        )
    return root, rows


def dataset(corpus, **kwargs):
    root, rows = corpus
    settings = {"clip": CONFIG.clip, "context_samples": FEATURES.context_samples, "quality": CONFIG.quality}
    return PreparedClips(rows, root, **settings, **kwargs)


def test_every_clip_of_every_file_comes_once_and_in_order(corpus):
    root, rows = corpus
    expected = [
        (i, clip.window)
        for i, row in enumerate(rows)
        for clip in cut(read_samples(root / row.path), CONFIG.clip, context_samples=FEATURES.context_samples)
    ]
    got = [(example.row_idx, example.clip.window) for example in dataset(corpus)]
    assert got == expected
    assert len(got) == 20


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_loses_and_repeats_nothing(corpus, workers):
    loader = clip_loader(dataset(corpus), FEATURES, batch_size=5, workers=workers)
    seen = [(row, window) for loaded in loader for row, window in zip(loaded.row_idx, loaded.windows, strict=True)]
    assert Counter(seen) == Counter((example.row_idx, example.clip.window) for example in dataset(corpus))


def test_a_batch_is_masked_where_a_stream_is_missing(corpus):
    loaded = next(iter(clip_loader(dataset(corpus), FEATURES, batch_size=100)))
    rows = np.array(loaded.row_idx)
    heard = loaded.batch.present["audio"].any(1).numpy()
    shown = loaded.batch.present["video"].any(1).numpy()
    assert not heard[rows == 1].any()
    assert heard[rows != 1].all()
    assert not shown[rows == 2].any()
    assert shown[rows != 2].all()
    assert loaded.batch.video.shape[1:] == (16, 3, SIZE, SIZE)


def test_labels_are_those_of_the_rows(corpus):
    loaded = next(iter(clip_loader(dataset(corpus), FEATURES, batch_size=100)))
    fake = torch.tensor([row >= 4 for row in loaded.row_idx]).float()
    assert torch.equal(loaded.labels["overall"], fake)
    assert torch.equal(loaded.labels["video"], fake)
    assert loaded.labels["audio"].sum() == 0
    assert torch.equal(loaded.labels["sync"].isnan(), fake.bool())


def test_the_model_takes_what_the_loader_gives(corpus):
    from hashformer.config import LossConfig
    from hashformer.losses import Objective
    from hashformer.model import HashFormer

    objective = Objective(HashFormer(CONFIG.model), LossConfig())
    loaded = next(iter(clip_loader(dataset(corpus, draw="balanced", views=(WEAK, STRONG)), FEATURES, batch_size=8)))
    losses = objective(loaded.batch, second=loaded.second, labels=loaded.labels)
    losses.total.backward()
    assert math.isfinite(losses.total.item())


def test_balanced_draws_show_both_classes_alike(corpus):
    _root, rows = corpus
    drawn = Counter()
    data = dataset(corpus, draw="balanced", clips_per_file=1)
    for epoch in range(60):
        data.epoch = epoch
        drawn.update(rows[row].label for row in data._order())
    assert drawn[1] / sum(drawn.values()) == pytest.approx(0.5, abs=0.08)


def test_an_epoch_repeats_itself_and_the_next_differs(corpus):
    data = dataset(corpus, draw="balanced", views=(STRONG,), seed=3)

    def epoch(n):
        data.epoch = n
        return [(example.row_idx, example.clip.window.first_frame) for example in data]

    first = epoch(0)
    assert epoch(0) == first
    assert epoch(1) != first


def test_no_more_clips_of_a_file_than_asked(corpus):
    data = dataset(corpus, draw="balanced", clips_per_file=2)
    runs = Counter(example.row_idx for example in data)
    draws = Counter(data._order())
    assert all(runs[row] <= 2 * n for row, n in draws.items())


def test_two_views_are_of_one_clip(corpus):
    for example in itertools.islice(dataset(corpus, draw="balanced", views=(WEAK, STRONG)), 5):
        assert example.second.window == example.clip.window
        assert (example.second.waveform is None) == (example.clip.waveform is None)


def test_files_that_were_not_prepared_are_named(corpus):
    root, rows = corpus
    more = [*rows, Row(path="real/none.mp4", label=0)]
    assert prepared_rows(more, root) == (rows, more[-1:])
    with pytest.raises(StoreError, match=r"1 of 7 files were not prepared, real/none\.mp4"):
        dataset((root, more))


def test_no_rows_are_told(corpus):
    with pytest.raises(StoreError, match="no rows"):
        dataset((corpus[0], []))


def test_features_with_another_context_are_refused(corpus):
    data = dataset(corpus)
    data.context_samples = 0
    with pytest.raises(ValueError, match="context_samples"):
        clip_loader(data, FEATURES, batch_size=1)


def row(i, label, method, person):
    return Row(path=f"{i}.mp4", label=label, method=method, identity_source=person)


def test_each_level_shares_its_mass_evenly():
    rows = [row(i, 0, "real", "anna" if i < 8 else "ben") for i in range(9)]
    rows += [row(9, 1, "swap", "anna"), row(10, 1, "voice", "anna"), row(11, 1, "voice", "anna")]
    weights = balanced_weights(rows)
    assert weights.sum() == pytest.approx(1)
    assert weights[:9].sum() == pytest.approx(0.5)
    assert weights[8] == pytest.approx(0.25)
    assert weights[0] == pytest.approx(0.25 / 8)
    assert weights[9] == pytest.approx(0.25)
    assert weights[10] == weights[11] == pytest.approx(0.125)


def labels(start_s, **kwargs):
    return clip_labels(Row(path="a.mp4", label=1, **kwargs), Window(round(start_s * 16), 16, 16))


def test_a_clip_outside_the_fake_stretches_is_real():
    kwargs = {"video_fake": True, "audio_fake": True, "fake_segments": (FakeSegment(2.0, 3.0, "video"),)}
    assert labels(0.0, **kwargs) == {"video": 0, "audio": 0, "sync": 0, "overall": 0}
    inside = labels(2.5, **kwargs)
    assert (inside["video"], inside["audio"], inside["overall"]) == (1, 0, 1)
    assert labels(3.0, **kwargs)["overall"] == 0


def test_what_the_corpus_does_not_say_is_not_known():
    unknown = labels(0.0)
    assert math.isnan(unknown["video"])
    assert math.isnan(unknown["audio"])
    assert unknown["overall"] == 1


def test_only_a_genuine_file_is_known_to_be_in_step():
    real = clip_labels(Row(path="a.mp4", label=0, video_fake=False, audio_fake=False), Window(0, 16, 16))
    assert real == {"video": 0.0, "audio": 0.0, "sync": 0.0, "overall": 0.0}
    assert math.isnan(labels(0.0, video_fake=True, audio_fake=False)["sync"])


def test_a_fake_whose_streams_are_both_genuine_is_out_of_step():
    assert labels(0.0, video_fake=False, audio_fake=False) == {"video": 0, "audio": 0, "sync": 1, "overall": 1}
    assert labels(0.0, video_fake=True, audio_fake=False, sync_fake=False)["sync"] == 0
    assert labels(0.0, video_fake=True, audio_fake=False, sync_fake=True)["sync"] == 1


def test_a_real_file_is_real_in_all_that_it_has():
    real = clip_labels(Row(path="a.mp4", label=0), Window(0, 16, 16))
    assert real == {"video": 0.0, "audio": 0.0, "sync": 0.0, "overall": 0.0}


def test_a_clip_must_show_two_frames_of_a_forgery():
    segments = (FakeSegment(2.0, 3.0, "sync"),)
    known = {"video_fake": False, "audio_fake": False, "sync_fake": True, "fake_segments": segments}
    spans = {"video": (), "audio": (), "sync": (Span(2.0, 3.0),)}
    forged = Forged(clip=None, kind="sound_shift", spans=spans)
    for first in range(12, 52):
        window = Window(first, 16, 16)
        assert clip_labels(Row(path="a.mp4", label=1, **known), window) == forged.labels(window)


def test_the_manifest_keeps_what_does_not_fit(tmp_path):
    rows = [
        Row(path="a.mp4", label=1, video_fake=False, audio_fake=False, method="sound_shift", sync_fake=True),
        Row(path="b.mp4", label=0),
        Row(path="c.mp4", label=1, sync_fake=False, fake_segments=(FakeSegment(0.0, 1.0, "sync"),)),
    ]
    write_manifest(rows, tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv") == rows
    older = tmp_path / "old" / "m.csv"
    older.parent.mkdir()
    lines = [line.rsplit(",", 1)[0] for line in (tmp_path / "m.csv").read_text().splitlines()]
    older.write_text("\n".join([*lines[:1], *lines[2:3]]) + "\n")
    assert read_manifest(older) == list(folder.index(older)) == rows[1:2]
    with pytest.raises(ManifestError, match="or their fit"):
        Row(path="a.mp4", label=0, sync_fake=True)
    with pytest.raises(ManifestError, match="labelled fake"):
        Row(path="a.mp4", label=1, video_fake=False, audio_fake=False, sync_fake=False)

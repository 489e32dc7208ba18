"""What is written is what is read: sound and landmarks to the bit, crops to 45 dB, scores to a thousandth."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from hashformer.config import FaceConfig, load_config
from hashformer.data.clips import cut
from hashformer.errors import MediaError, StoreError
from hashformer.media import probe
from hashformer.media.crops import CropWriter, read_crops
from hashformer.media.wav import WavWriter, read_wav
from hashformer.preprocess.arrays import ArrayWriter
from hashformer.preprocess.extract import empty_track, extract
from hashformer.preprocess.parts import MAX_AWAY_S
from hashformer.preprocess.record import PrepareSettings, Source, read_record
from hashformer.preprocess.store import DiskFullError, read_samples, write_samples
from hashformer.timebase import Window
from hashformer.types import Sample
from make_faces import clip_frames, film, scene

FPS, SIZE_PX, RATE_HZ = 4, 32, 8_000
SETTINGS = PrepareSettings(fps=FPS, sample_rate_hz=RATE_HZ, faces=FaceConfig(size_px=SIZE_PX))


@pytest.fixture(scope="module")
def config():
    return load_config("tiny")


@pytest.fixture(scope="module")
def talking(tmp_path_factory, man):
    """Seven seconds: a man, two of him, none, a man again; with sound."""
    path = tmp_path_factory.mktemp("films") / "talking head (1).mp4"
    places = [((20, 40, 1.8),)] * 16 + [((20, 40, 1.8), (330, 40, 1.6))] * 16 + [()] * 6 + [((20, 40, 1.8),)] * 18
    return film(path, [scene(man[k % len(man)], where) for k, where in enumerate(places)])


@pytest.fixture(scope="module")
def extracted(talking, config, finder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finder, "config", config.faces)
        return list(extract(talking, probe(talking), config, finder))


@pytest.fixture(scope="module")
def stored(tmp_path_factory, talking, extracted, config):
    folder = tmp_path_factory.mktemp("prepared") / talking.name
    write_samples(folder, iter(extracted), source=source(talking), settings=PrepareSettings.of(config))
    return folder


def source(path):
    return Source(path=path.name, sha256="0" * 64, media=probe(path))


def made(n_frames, seen, *, first_frame=0, sound=True, seed=0):
    """A Sample whose faces are noise; `seen` maps a track to the frames, of the stretch, that show it."""
    rng = np.random.default_rng(seed)
    window = Window(first_frame, n_frames, FPS)
    tracks = []
    for track_id, positions in seen.items():
        track = empty_track(track_id, window, SIZE_PX)
        track.crops[positions] = rng.integers(60, 200, (1, 3, 1, 1))
        track.landmarks[positions] = rng.random((len(positions), 478, 2))
        track.boxes[positions] = rng.random((len(positions), 4)) * 100
        tracks.append(track)
    n_samples = n_frames * RATE_HZ // FPS
    return Sample(
        window=window,
        sample_rate_hz=RATE_HZ,
        waveform=rng.uniform(-1, 1, n_samples).astype(np.float32) if sound else None,
        waveform_present=np.arange(n_samples) // 900 != 1 if sound else None,
        picture_present=np.arange(n_frames) % 7 != 5,
        tracks=tuple(tracks),
    )


def write(folder, samples, talking, **kwargs):
    return write_samples(folder, samples, source=source(talking), settings=SETTINGS, **kwargs)


def assert_same(ours, theirs, *, crops_atol=3):
    assert (ours.window, ours.sample_rate_hz) == (theirs.window, theirs.sample_rate_hz)
    for name in ("waveform", "waveform_present", "picture_present"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    assert [track.track_id for track in ours.tracks] == [track.track_id for track in theirs.tracks]
    for mine, yours in zip(ours.tracks, theirs.tracks, strict=True):
        assert mine.landmarks.tobytes() == yours.landmarks.tobytes()
        assert mine.boxes.tobytes() == yours.boxes.tobytes()
        assert not mine.crops[~mine.present].any()
        np.testing.assert_allclose(mine.crops.astype(int), yours.crops, atol=crops_atol)


def test_a_real_film_comes_back(stored, extracted):
    back = list(read_samples(stored))
    assert len(back) == len(extracted) == 2
    for ours, theirs in zip(back, extracted, strict=True):
        assert_same(ours, theirs, crops_atol=32)


def test_crops_keep_45_db(tmp_path, talking, finder):
    config = load_config("small")
    samples = list(extract(talking, probe(talking), config, finder))
    write_samples(tmp_path / "a", samples, source=source(talking), settings=PrepareSettings.of(config))
    for ours, theirs in zip(read_samples(tmp_path / "a"), samples, strict=True):
        for mine, yours in zip(ours.tracks, theirs.tracks, strict=True):
            error = np.mean((mine.crops[mine.present].astype(float) - yours.crops[mine.present]) ** 2)
            assert 10 * np.log10(255**2 / error) >= 45


def test_the_stored_file_scores_like_the_file_itself(stored, extracted, detector):
    ours, theirs = (detector.score_samples(samples) for samples in (read_samples(stored), extracted))
    assert len(ours) == len(theirs) > 20
    for mine, yours in zip(ours, theirs, strict=True):
        assert (mine.window, mine.track_id, mine.scores.keys()) == (yours.window, yours.track_id, yours.scores.keys())
        for name, score in mine.scores.items():
            # Sound is equal to the bit. The encoder's rounding, 45 dB or 0.006 of full scale, may move
            # what sees the picture, but by no more than a person would read.
            assert score == pytest.approx(yours.scores[name], abs=0 if name == "audio" else 2e-3)


def test_clips_do_not_depend_on_the_stretch_that_is_read(stored, config):
    whole, parts = (list(cut(read_samples(stored, stretch_s=s), config.clip, context_samples=9)) for s in (60, 1))
    assert len(whole) == len(parts) > 10
    for mine, yours in zip(whole, parts, strict=True):
        assert (mine.window, mine.track_id) == (yours.window, yours.track_id)
        for name in ("frames", "landmarks", "boxes", "waveform"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(yours, name))


def test_the_layout_is_the_one_that_others_read(stored, extracted):
    names = sorted(path.relative_to(stored).as_posix() for path in stored.rglob("*") if path.is_file())
    files = [f"track_{k:03d}/{name}" for k in (0, 1) for name in ("boxes.npy", "cropped_video.mp4", "landmarks.npy")]
    assert names == ["sample.json", "talking head (1).wav", *files]
    record = json.loads((stored / "sample.json").read_text())
    first = record["tracks"][0]
    landmarks = np.load(stored / "track_000" / "landmarks.npy")
    assert landmarks.shape == (first["n_frames"], 478, 2)
    assert landmarks.dtype == np.float32
    gap = np.isnan(landmarks[:, 0, 0])
    assert gap.sum() == sum(last - start for start, last in first["gaps"]) > 8
    assert first["face_px"] > 60
    assert first["blur"] > 10
    assert 112 <= record["n_frames"] <= 114  # the sound codec fills its last block
    assert record["sound_present"][0][0] == 0
    info = probe(stored / "track_000" / "cropped_video.mp4")
    assert (info.video.fps, info.video.duration_s) == (16, first["n_frames"] / 16)
    assert probe(stored / "talking head (1).wav").audio.duration_s == record["n_frames"] / 16


def test_gaps_late_starts_and_rests_come_back(tmp_path, talking):
    samples = [
        made(16, {0: [2, 3, 9], 4: [15]}, seed=1),
        made(16, {0: [5]}, first_frame=16, seed=2),
        made(3, {4: [0, 1, 2]}, first_frame=32, seed=3),
    ]
    record = write(tmp_path / "a", samples, talking, problems=["one fault"])
    assert [(track.first_frame, track.n_frames) for track in record.tracks] == [(2, 20), (15, 20)]
    assert record.tracks[0].gaps == [(4, 9), (10, 21)]
    assert read_record(tmp_path / "a") == record
    assert record.problems == ["one fault"]
    for ours, theirs in zip(read_samples(tmp_path / "a"), samples, strict=True):
        assert_same(ours, theirs)


def test_a_face_that_returns_after_long_goes_on_in_a_new_folder(tmp_path, talking):
    away = MAX_AWAY_S * FPS // 16 + 2
    samples = [made(16, {3: [0, 15]}), *(made(16, {}, first_frame=16 * k) for k in range(1, away))]
    samples.append(made(16, {3: [8]}, first_frame=16 * away, seed=1))
    record = write(tmp_path / "a", samples, talking)
    assert [track.folder for track in record.tracks] == ["track_003", "track_003_part_2"]
    for ours, theirs in zip(read_samples(tmp_path / "a"), samples, strict=True):
        assert_same(ours, theirs)
    (whole,) = read_samples(tmp_path / "a", stretch_s=600)
    assert whole.tracks[0].present.sum() == 3


def test_a_file_without_sound_or_faces_comes_back(tmp_path, talking):
    samples = [made(16, {}, sound=False), made(5, {}, first_frame=16, sound=False)]
    record = write(tmp_path / "a", samples, talking)
    assert record.waveform is None
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["sample.json"]
    for ours, theirs in zip(read_samples(tmp_path / "a"), samples, strict=True):
        assert ours.waveform is ours.waveform_present is None
        np.testing.assert_array_equal(ours.picture_present, theirs.picture_present)


def test_the_same_samples_give_the_same_bytes(tmp_path, talking, extracted, config):
    for name in ("a", "b"):
        write_samples(tmp_path / name, extracted, source=source(talking), settings=PrepareSettings.of(config))
    ours, theirs = ({p.name: p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()} for n in ("a", "b"))
    assert ours == theirs


@pytest.mark.skipif(sys.platform != "linux", reason="the C library's way to fill fresh memory")
def test_crops_do_not_depend_on_what_memory_held(tmp_path, sample_clip):
    """The encoder once read memory that it had not written: the same film gave other bytes in another run."""
    large = [cv2.resize(picture, (400, 400)) for picture in clip_frames(sample_clip, fps=16)[:48]]
    panned = [picture[k : k + 224, 2 * k : 2 * k + 224] for k, picture in enumerate(large)]
    np.save(tmp_path / "crops.npy", np.stack(panned).transpose(0, 3, 1, 2))
    code = (
        "import sys; from pathlib import Path; import numpy as np; from hashformer.media.crops import CropWriter\n"
        "with CropWriter(Path(sys.argv[2]), fps=16, size_px=224) as writer: writer.write(np.load(sys.argv[1]))"
    )
    found = set()
    for byte in (0, 85, 200):
        path = tmp_path / f"{byte}.mp4"
        memory = {"MALLOC_PERTURB_": str(byte), "MALLOC_MMAP_THRESHOLD_": "4000000000"}
        command = [sys.executable, "-c", code, str(tmp_path / "crops.npy"), str(path)]
        subprocess.run(command, check=True, env={**os.environ, **memory})
        found.add(path.read_bytes())
    assert len(found) == 1


def test_an_error_of_the_source_leaves_nothing(tmp_path, talking):
    def breaking():
        yield made(16, {0: [0, 1]})
        raise MediaError("the source is broken")

    with pytest.raises(MediaError, match="the source is broken"):
        write(tmp_path / "a", breaking(), talking)
    assert list(tmp_path.iterdir()) == []


def test_a_rest_of_a_killed_run_is_removed(tmp_path, talking):
    (tmp_path / ".a.partial" / "track_000").mkdir(parents=True)
    write(tmp_path / "a", [made(16, {0: [0]})], talking)
    write(tmp_path / "a", [made(16, {})], talking)  # replaces
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert read_record(tmp_path / "a").tracks == []


def test_what_is_no_prepared_file_is_not_replaced(tmp_path, talking):
    (tmp_path / "a.mp4").write_bytes(b"precious")
    with pytest.raises(StoreError, match=r"holds no sample\.json"):
        write(tmp_path / "a.mp4", [made(16, {})], talking)
    assert (tmp_path / "a.mp4").read_bytes() == b"precious"


def test_samples_must_follow_each_other(tmp_path, talking):
    with pytest.raises(ValueError, match="must begin at frame 16, got 20"):
        write(tmp_path / "a", [made(16, {}), made(4, {}, first_frame=20)], talking)
    with pytest.raises(StoreError, match="nothing to store"):
        write(tmp_path / "a", [], talking)


@pytest.mark.parametrize("writer", [CropWriter, ArrayWriter, WavWriter])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, talking, monkeypatch, writer):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write", full)
    with pytest.raises(DiskFullError, match="disk is full"):
        write(tmp_path / "a", [made(16, {0: [0]})], talking)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_named(tmp_path, talking):
    record = write(tmp_path / "a", [made(16, {0: [0, 3]})], talking)
    track = tmp_path / "a" / "track_000"
    np.save(track / "landmarks.npy", np.zeros((2, 478, 2), np.float32))
    with pytest.raises(StoreError, match=r"landmarks.npy: holds float32 \(2, 478, 2\), expected"):
        list(read_samples(tmp_path / "a"))
    for text, words in (
        ("{", "cannot be read"),
        (record.to_json().replace('"schema_version": 1', '"schema_version": 9', 1), "version 9"),
        (record.to_json().replace('"n_frames"', '"frames"'), "n_frames: Field required"),
    ):
        (tmp_path / "a" / "sample.json").write_text(text)
        with pytest.raises(StoreError, match=words):
            read_record(tmp_path / "a")
    with pytest.raises(StoreError, match="is no prepared file"):
        next(iter(read_samples(tmp_path)))


def test_fewer_crops_than_stated_is_an_error(tmp_path, talking):
    write(tmp_path / "a", [made(16, {0: [0, 3]})], talking)
    with CropWriter(tmp_path / "a" / "track_000" / "cropped_video.mp4", fps=FPS, size_px=SIZE_PX) as writer:
        writer.write(np.zeros((2, 3, SIZE_PX, SIZE_PX), np.uint8))
    with pytest.raises(StoreError, match="ends early; 4 of 32 px are due"):
        list(read_samples(tmp_path / "a"))


@pytest.mark.parametrize("fps", [1, 12, 15, 16, 24, 25, 30, 50, 120])
@pytest.mark.parametrize("n_frames", [1, 2, 61])
def test_picture_k_stands_at_grid_frame_k(tmp_path, fps, n_frames):
    from hashformer.media.video import frames

    levels = np.linspace(20, 230, n_frames).round().astype(np.uint8)
    with CropWriter(tmp_path / "c.mp4", fps=fps, size_px=32) as writer:
        writer.write(np.broadcast_to(levels[:, None, None, None], (n_frames, 3, 32, 32)))
    ours = [picture.mean() for picture in read_crops(tmp_path / "c.mp4", fps=fps)]
    as_any_film = [frame.rgb.mean() for frame in frames(tmp_path / "c.mp4", fps=fps)]
    for back in (ours, as_any_film):
        np.testing.assert_allclose(back, levels, atol=1)
    if n_frames > 1:
        with pytest.raises(MediaError, match="picture 1 stands at"):
            list(read_crops(tmp_path / "c.mp4", fps=2 * fps))


def test_sound_is_read_in_any_stretch(tmp_path):
    sound = np.random.default_rng(0).uniform(-1, 1, 1000).astype(np.float32)
    with WavWriter(tmp_path / "a.wav", sample_rate_hz=RATE_HZ) as writer:
        for part in np.split(sound, [10, 300, 301]):
            writer.write(part)
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav", 250, 100), sound[250:350])
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav", 950, 100), sound[950:])
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(MediaError, match="cannot be read"):
        read_wav(tmp_path / "b.wav", 0, 1)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path, talking):
    import tracemalloc

    def film_of(n):
        for k in range(n):
            yield made(16, {k // 8: list(range(16))}, first_frame=16 * k, seed=k)

    peaks = []
    for n in (10, 60):
        tracemalloc.start()
        write(tmp_path / str(n), film_of(n), talking)
        n_read = sum(1 for _ in read_samples(tmp_path / str(n)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert n_read == n
    assert peaks[1] < 1.3 * peaks[0]

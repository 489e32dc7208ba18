"""From file to Samples: one time base, gaps kept, whole seconds, any stretch length alike."""

from fractions import Fraction

import numpy as np
import pytest

from hashformer.clock import Stopwatch
from hashformer.config import Config
from hashformer.data.clips import cut
from hashformer.media import probe
from hashformer.media.writer import write_video
from hashformer.preprocess.extract import extract
from make_faces import film, scene
from make_media import flash_and_beep, remux, sound_only

CONFIG = Config()
FPS, RATE_HZ = CONFIG.clip.fps, CONFIG.clip.sample_rate_hz


def samples(path, finder, **kwargs):
    return list(extract(path, probe(path), CONFIG, finder, **kwargs))


@pytest.fixture(scope="module")
def talking(tmp_path_factory, man):
    """Ten seconds of the man, with sound."""
    return film(tmp_path_factory.mktemp("films") / "talking.mp4", (man * 3)[:80])


def test_samples_follow_each_other_without_gap(talking, finder):
    parts = samples(talking, finder)
    assert [part.window.first_frame for part in parts] == [0, 4 * FPS, 8 * FPS]
    assert parts[-1].window.end_s == pytest.approx(10.0, abs=1 / FPS)
    for part in parts:
        assert len(part.waveform) == part.window.n_frames * RATE_HZ // FPS
        assert len(part.picture_present) == part.window.n_frames
        assert part.tracks[0].crops.shape == (part.window.n_frames, 3, 224, 224)


def test_the_length_of_a_stretch_decides_nothing(talking, finder):
    short, long = samples(talking, finder, stretch_s=1), samples(talking, finder, stretch_s=60)
    assert len(long) == 1
    assert np.array_equal(np.concatenate([part.waveform for part in short]), long[0].waveform)
    faces = [track for part in short for track in part.tracks]
    whole = long[0].tracks[0]
    n_frames = sum(face.window.n_frames for face in faces)
    assert {face.track_id for face in faces} == {0}
    assert whole.present[:n_frames].all()
    assert np.array_equal(np.concatenate([face.crops for face in faces]), whole.crops[:n_frames])
    assert np.array_equal(np.concatenate([face.landmarks for face in faces]), whole.landmarks[:n_frames])


def test_every_stage_is_timed(talking, finder):
    stopwatch = Stopwatch()
    samples(talking, finder, stopwatch=stopwatch)
    assert set(stopwatch.seconds) == {"decode", "detect", "landmarks", "crop"}
    assert all(seconds > 0 for seconds in stopwatch.seconds.values())


def test_a_gap_in_a_track_stays_a_gap(tmp_path, man, finder):
    """A face covered for a second, at a rate of 8: its frames are there, marked absent."""
    covered = [picture.copy() for picture in man[8:16]]
    for picture in covered:
        picture[20:130, 30:150] = 120
    path = film(tmp_path / "gap.mp4", [*man[:8], *covered[:6], *man[14:24]])
    track = samples(path, finder)[0].tracks[0]
    absent = np.flatnonzero(~track.present)
    assert absent.size == pytest.approx(0.75 * FPS, abs=2)
    assert absent.min() / FPS == pytest.approx(1.0, abs=0.13)
    assert np.isnan(track.boxes[absent]).all()
    assert not track.crops[absent].any()


@pytest.mark.parametrize(("sound_s", "ends_s"), [(2.0, 4.0), (7.0, 7.0), (0, 4.0)])
def test_sound_longer_shorter_or_missing(tmp_path, finder, sound_s, ends_s):
    path = flash_and_beep(tmp_path / "clip.mp4", fps=25, duration_s=4.0, sound_s=sound_s)
    parts = samples(path, finder)
    assert parts[-1].window.end_s == pytest.approx(ends_s, abs=0.1)
    shown = sum(int(part.picture_present.sum()) for part in parts)
    assert shown / FPS == pytest.approx(4.0, abs=0.1)
    if not sound_s:
        assert all(part.waveform is None and part.waveform_present is None for part in parts)
    else:
        heard = sum(int(part.waveform_present.sum()) for part in parts)
        assert heard / RATE_HZ == pytest.approx(sound_s, abs=0.1)


def test_a_sound_file_gives_sound_alone(tmp_path, finder):
    part = samples(sound_only(tmp_path / "beeps.wav", duration_s=2.5), finder)[0]
    assert part.tracks == ()
    assert not part.picture_present.any()
    assert part.waveform_present.sum() == pytest.approx(2.5 * RATE_HZ, abs=200)


@pytest.mark.parametrize("delay_s", [0.5, 1.25])
def test_flash_and_beep_stay_together_when_a_stream_starts_late(tmp_path, finder, delay_s):
    """Sound and picture are each placed by their own times: a late stream is late in the Sample, too."""
    source = flash_and_beep(tmp_path / "source.mp4", fps=25, duration_s=4.0, at_s=(1.0,))
    late = remux(source, tmp_path / "late.mkv", audio_delay_s=delay_s)
    waveform = np.concatenate([part.waveform for part in samples(late, finder)])
    loud = np.flatnonzero(np.abs(waveform) > 0.3)
    assert loud[0] / RATE_HZ == pytest.approx(1.0 + delay_s, abs=0.03)


def test_three_people_are_three_tracks(tmp_path, man, finder):
    places = [(10, 20, 1.2), (230, 60, 1.1), (430, 120, 1.0)]
    path = film(tmp_path / "three.mp4", [scene(picture, places) for picture in man[:8]])
    parts = samples(path, finder)
    assert [track.track_id for track in parts[0].tracks] == [0, 1, 2]
    assert all(track.present.mean() > 0.9 for track in parts[0].tracks)


@pytest.mark.parametrize("fps", [8, 25, Fraction(30_000, 1001), 60])
def test_a_dimmed_face_and_a_beep_fall_on_the_same_frame_of_the_clips(tmp_path, man, finder, fps):
    """The whole path, file to Clip: light and sound change together at a known time, to one frame."""
    at_s, n_pictures = 1.5, round(3 * float(fps))
    pictures = []
    for i in range(n_pictures):
        picture = man[int(8 * i / float(fps))]
        pictures.append(picture if i / float(fps) < at_s else (picture * 0.5).astype(np.uint8))
    times = np.arange(3 * RATE_HZ) / RATE_HZ
    beep = np.where(times >= at_s, 0.5 * np.sin(2 * np.pi * 1000 * times), 0).astype(np.float32)
    write_video(tmp_path / "dim.mp4", pictures, fps=fps, waveform=beep)
    clips = list(cut(samples(tmp_path / "dim.mp4", finder), CONFIG.clip))
    seen = set()
    for clip in clips:
        start_s = clip.window.start_s
        levels = clip.frames.reshape(len(clip.frames), -1).mean(1)
        loud = np.abs(clip.waveform.reshape(len(levels), -1)).max(1) > 0.2
        if start_s < at_s < clip.window.end_s:
            dim = levels < 0.75 * levels.max()
            assert abs(int(dim.argmax()) - int(loud.argmax())) <= 1
            assert start_s + dim.argmax() / FPS == pytest.approx(at_s, abs=1 / FPS)
            seen.add(start_s)
        else:
            assert set(loud[:-1]) == {start_s >= at_s}, "only the last frame may reach beyond the file"
    assert len(seen) >= 1

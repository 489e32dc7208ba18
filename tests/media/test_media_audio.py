"""Sound stands at its time, at the asked rate, whatever the format, the gaps and the clock of the file."""

from fractions import Fraction

import av
import numpy as np
import pytest

from hashformer.media.audio import blocks
from hashformer.media.placement import Placement
from make_media import RATE_HZ, beeps, cut_bytes, flash_and_beep, remux, sound_only

CODEC_S = 0.003
"""How far a lossy codec smears the edge of a beep."""


def sound(path, rate_hz=RATE_HZ, **options):
    parts = list(blocks(path, sample_rate_hz=rate_hz, **options))
    firsts = np.cumsum([0, *(len(part.samples) for part in parts)])[:-1]
    assert [part.first_sample for part in parts] == firsts.tolist()
    return np.concatenate([p.samples for p in parts]), np.concatenate([p.present for p in parts])


def onsets_s(samples, rate_hz=RATE_HZ):
    """When beeps begin: loud after a tenth of a second without."""
    loud = np.flatnonzero(np.abs(samples) > 0.3)
    return loud[np.diff(loud, prepend=-rate_hz) > rate_hz // 10] / rate_hz


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a", ".ogg"])
@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 48_000])
def test_a_beep_is_heard_when_it_was_made(tmp_path, suffix, rate_hz):
    samples, present = sound(sound_only(tmp_path / f"a{suffix}"), rate_hz)
    assert onsets_s(samples, rate_hz) == pytest.approx([1.0, 2.5], abs=CODEC_S)
    assert len(samples) / rate_hz == pytest.approx(4.0, abs=0.07)
    assert present.all()
    assert samples.dtype == np.float32


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mkv", "libx264"), (".webm", "libvpx")])
def test_a_beep_beside_a_picture(tmp_path, suffix, codec):
    samples, _ = sound(flash_and_beep(tmp_path / f"a{suffix}", codec=codec))
    assert onsets_s(samples) == pytest.approx([1.0, 2.5], abs=CODEC_S)


def test_lossless_sound_comes_back_exactly(tmp_path):
    samples, _ = sound(sound_only(tmp_path / "a.flac"))
    assert np.abs(samples - beeps(4.0, (1.0, 2.5))).max() < 1e-4


@pytest.mark.parametrize("block_samples", [1, 999, 16_000, 10**6])
def test_blocks_of_any_length_hold_the_same_sound(tmp_path, block_samples):
    path = sound_only(tmp_path / "a.wav", duration_s=0.5, at_s=(0.1,))
    assert np.array_equal(sound(path, block_samples=block_samples)[0], sound(path)[0])


def test_a_late_start_is_absent(tmp_path):
    path = remux(flash_and_beep(tmp_path / "a.mp4"), tmp_path / "late.mp4", audio_delay_s=0.5)
    samples, present = sound(path)
    assert onsets_s(samples) == pytest.approx([1.5, 3.0], abs=CODEC_S)
    # The encoder's priming counts as sound once it is moved past zero.
    assert 0.4 <= np.argmax(present) / RATE_HZ <= 0.5
    assert not samples[~present].any()


def test_a_gap_is_absent_and_moves_nothing(tmp_path):
    source = flash_and_beep(tmp_path / "a.mp4", duration_s=6.0, at_s=(1.0, 4.5))
    path = remux(source, tmp_path / "gap.mp4", drop_s=(2.0, 3.5), drop_kinds=("audio",))
    samples, present = sound(path)
    assert onsets_s(samples) == pytest.approx([1.0, 4.5], abs=CODEC_S)
    empty = np.flatnonzero(~present) / RATE_HZ
    assert empty[0] == pytest.approx(2.0, abs=0.07)
    assert empty[-1] == pytest.approx(3.5, abs=0.07)
    assert len(empty) / RATE_HZ == pytest.approx(1.5, abs=0.07)


def write_layout(path, layout, n_channels, values):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=48_000, layout=layout)
        pcm = np.tile(np.array(values, np.int16), (48_000, 1)).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert len(values) == n_channels
    return path


@pytest.mark.parametrize(
    ("layout", "values"),
    [("mono", [8000]), ("stereo", [16_000, 0]), ("5.1", [6000, 12_000, 18_000, 0, 6000, 6000])],
)
def test_mono_is_the_mean_of_the_channels(tmp_path, layout, values):
    samples, _ = sound(write_layout(tmp_path / "a.wav", layout, len(values), values))
    assert samples[4000:12_000] == pytest.approx(8000 / 32768, abs=1e-3)


@pytest.mark.parametrize(("layout", "n_channels"), [("7.1", 8), ("22.2", 24)])
def test_many_channels(tmp_path, layout, n_channels):
    samples, _ = sound(write_layout(tmp_path / "a.wav", layout, n_channels, [8000] * n_channels))
    assert samples[4000:12_000] == pytest.approx(8000 / 32768, abs=1e-3)


def test_eight_planar_channels(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48_000, layout="7.1")
        tone = np.tile(0.5 * np.sin(np.arange(1024 * 20) * 0.05), (8, 1)).astype(np.float32)
        for k in range(20):
            # Packed, since PyAV cannot make frames of eight planes either.
            packed = tone[:, 1024 * k : 1024 * (k + 1)].T.reshape(1, -1).copy()
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="7.1")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, 1024 * k, Fraction(1, 48_000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    samples, _ = sound(path)
    assert 0.3 < np.abs(samples).max() < 0.6


def test_floats_beyond_full_scale_and_no_numbers_are_tamed(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_f32le", rate=RATE_HZ, layout="mono")
        wild = np.array([[0.5, np.nan, np.inf, -np.inf, 7.0, -7.0] * 1000], np.float32)
        frame = av.AudioFrame.from_ndarray(wild, format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    samples, _ = sound(path)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


def test_sound_cut_short_says_so(tmp_path):
    whole = sound_only(tmp_path / "a.mp3")
    problems = []
    samples, _ = sound(cut_bytes(whole, tmp_path / "cut.mp3", keep=0.5), problems=problems)
    assert any("sound ends at" in line for line in problems)
    assert len(samples) / RATE_HZ == pytest.approx(2.0, abs=0.1)


def place(frames, rate_in=48_000, rate_out=RATE_HZ):
    placement = Placement(rate_out)
    parts = [part for samples, start in frames for part in placement.add(samples, rate_in, start)]
    parts += placement.finish()
    samples = np.concatenate([part for part, _ in parts])
    present = np.concatenate([np.full(len(part), is_present) for part, is_present in parts])
    return samples, present


def frames_of(duration_s, *, n=1024, stamp=lambda time_s: time_s, beep_at=None, rate=48_000):
    """Packets of sound; `stamp` makes the time stamp of the true time."""
    for k in range(int(duration_s * rate / n)):
        samples = np.zeros(n, np.float32)
        if beep_at is not None and abs(k * n / rate - beep_at) < n / rate / 2:
            samples[:] = 0.9
        yield samples, stamp(k * n / rate)


def test_jitter_is_no_gap(tmp_path):
    rng = np.random.default_rng(0)
    jittered = frames_of(20.0, stamp=lambda t: t + (rng.uniform(-0.004, 0.004) if t else 0.0), beep_at=15.0)
    samples, present = place(jittered)
    assert present.all()
    assert np.argmax(samples > 0.5) / RATE_HZ == pytest.approx(15.0, abs=0.015)


@pytest.mark.parametrize("pace", [0.9995, 1.0005])
def test_drift_does_not_add_up(tmp_path, pace):
    samples, present = place(frames_of(120.0, stamp=lambda t: t * pace, beep_at=110.0))
    assert present.all()
    start = round(110.0 / (1024 / 48_000)) * 1024 / 48_000 * pace
    assert np.argmax(samples > 0.5) / RATE_HZ == pytest.approx(start, abs=0.004)


def test_an_overlap_does_not_move_what_follows():
    # From 1 s on everything is stamped 0.1 s earlier: a tenth of a second is there twice.
    samples, present = place(frames_of(4.0, stamp=lambda t: t if t < 1.0 else t - 0.1, beep_at=3.0))
    assert present.all()
    assert np.argmax(samples > 0.5) / RATE_HZ == pytest.approx(2.9, abs=0.015)


def test_a_lost_packet_is_a_gap_of_its_length():
    kept = [frame for k, frame in enumerate(frames_of(4.0, beep_at=3.0)) if k != 50]
    samples, present = place(kept)
    assert (~present).sum() / RATE_HZ == pytest.approx(1024 / 48_000, abs=1e-3)
    assert np.argmax(samples > 0.5) / RATE_HZ == pytest.approx(3.0, abs=0.012)


def test_sound_before_time_zero_is_left_out():
    samples, _ = place(frames_of(4.0, stamp=lambda t: t - 0.5, beep_at=1.0))
    assert np.argmax(samples > 0.5) / RATE_HZ == pytest.approx(0.5, abs=0.012)


def test_a_rate_that_changes_in_mid_stream():
    placement = Placement(RATE_HZ)
    parts = [*placement.add(np.zeros(48_000, np.float32), 48_000, 0.0)]
    parts += [*placement.add(np.full(44_100, 0.5, np.float32), 44_100, 1.0), *placement.finish()]
    samples = np.concatenate([part for part, _ in parts])
    assert len(samples) == pytest.approx(2 * RATE_HZ, abs=2)
    assert np.argmax(samples > 0.4) == pytest.approx(RATE_HZ, abs=16)

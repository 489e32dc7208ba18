"""Codec round trips in memory: same size, same order, same moments, worse by the setting and never by chance."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from hashformer.media.recode import recode_frames, recode_sound, recode_stream
from hashformer.media.video import frames
from hashformer.media.writer import write_video

RATE_HZ = 16_000


def pictures(n=24, size=(96, 128)):
    """Moving stripes with a little noise, (T, 3, H, W); no two pictures are alike."""
    y, x = np.mgrid[: size[0], : size[1]]
    rng = np.random.default_rng(0)
    waves = [[127 + 100 * np.sin((x + 5 * i) / 9 + k + y / 23) for k in range(3)] for i in range(n)]
    return np.clip(np.array(waves) + rng.normal(0, 3, (n, 3, *size)), 0, 255).astype(np.uint8)


def noise(n, *, rate_hz=RATE_HZ):
    """Noise between 150 and 3000 Hz, (S,): its correlation with itself has one sharp peak."""
    white = np.random.default_rng(1).normal(0, 0.3, n)
    return sosfilt(butter(4, [150, 3000], "band", fs=rate_hz, output="sos"), white).astype(np.float32)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9))


def lag(a, b):
    """By how many samples `b` is late."""
    n = 2 * len(a)
    correlation = np.fft.irfft(np.conj(np.fft.rfft(a, n)) * np.fft.rfft(b, n))
    return (int(np.argmax(correlation)) + len(a)) % n - len(a)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_every_picture_comes_back_in_its_place(codec):
    source = pictures()
    recoded = recode_frames(source, codec=codec, crf=23, fps=16)
    distance = [[psnr(a, b) for b in recoded] for a in source]
    assert np.argmax(distance, axis=1).tolist() == list(range(len(source)))
    assert min(np.diagonal(distance)) > 28


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_higher_crf_is_worse_and_the_same_crf_the_same(codec):
    source = pictures()
    recoded = [recode_frames(source, codec=codec, crf=crf, fps=16) for crf in (18, 30, 40, 51)]
    quality = [psnr(source, other) for other in recoded]
    assert quality == sorted(quality, reverse=True)
    assert quality[0] - quality[-1] > 6
    assert np.array_equal(recode_frames(source, codec=codec, crf=40, fps=16), recoded[2])


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("size", [(1, 1), (15, 17), (33, 30)])
def test_any_size_is_cropped_back(codec, size):
    source = pictures(5, size)
    recoded = recode_frames(source, codec=codec, crf=10, fps=16)
    assert recoded.shape == source.shape
    assert psnr(source, recoded) > 22


def test_the_round_trip_is_what_a_file_gives(tmp_path):
    """Same colours as writing a file and reading it: both must use one matrix, also for HD."""
    for size in ((96, 128), (720, 128)):
        source = pictures(6, size).transpose(0, 2, 3, 1)
        write_video(tmp_path / "clip.mp4", source, fps=8, crf=0)
        read = [frame.rgb for frame in frames(tmp_path / "clip.mp4", fps=8)]
        recoded = list(recode_stream(source, codec="h264", crf=0, fps=8))
        assert psnr(np.array(read), np.array(recoded)) > 45


def test_a_stream_holds_few_pictures_and_follows_a_change_of_size():
    taken = 0

    def source():
        nonlocal taken
        for taken, rgb in enumerate(np.concatenate([pictures(40)] * 3).transpose(0, 2, 3, 1), start=1):
            yield rgb[:64] if taken > 100 else rgb

    ahead, shapes = 0, []
    for given, rgb in enumerate(recode_stream(source(), codec="h264", crf=30, fps=16), start=1):
        ahead = max(ahead, taken - given)
        shapes.append(rgb.shape)
    assert len(shapes) == 120
    assert shapes[99:101] == [(96, 128, 3), (64, 128, 3)]
    assert ahead < 30


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("codec", ["aac", "opus", "mp3"])
def test_sound_stays_at_its_time(codec, rate_hz):
    source = noise(rate_hz + 77, rate_hz=rate_hz)
    recoded = recode_sound(source, sample_rate_hz=rate_hz, codec=codec, bit_rate=64_000)
    assert recoded.shape == source.shape
    assert recoded.dtype == np.float32
    assert lag(source, recoded) == 0
    assert 10 * np.log10(np.mean(source**2) / np.mean((source - recoded) ** 2)) > 14
    for end in (slice(None, 200), slice(-200, None)):  # nothing is cut off or repeated at either end
        assert np.corrcoef(source[end], recoded[end])[0, 1] > 0.9


@pytest.mark.parametrize(("codec", "bit_rates"), [("aac", (128, 64, 16)), ("opus", (64, 32, 12)), ("mp3", (64, 32, 8))])
def test_fewer_bits_are_worse_and_the_same_bits_the_same(codec, bit_rates):
    source = noise(RATE_HZ)
    recoded = [
        recode_sound(source, sample_rate_hz=RATE_HZ, codec=codec, bit_rate=1000 * kilobits) for kilobits in bit_rates
    ]
    errors = [float(np.mean((source - other) ** 2)) for other in recoded]
    assert errors == sorted(errors)
    again = recode_sound(source, sample_rate_hz=RATE_HZ, codec=codec, bit_rate=1000 * bit_rates[1])
    assert np.array_equal(again, recoded[1])


def test_nothing_and_next_to_nothing():
    assert recode_frames(np.zeros((0, 3, 8, 8), np.uint8), codec="h264", crf=30, fps=16).shape == (0, 3, 8, 8)
    for n in (0, 1, 100):
        sound = recode_sound(np.zeros(n, np.float32), sample_rate_hz=RATE_HZ, codec="aac", bit_rate=32_000)
        assert sound.shape == (n,)


def test_wrong_use_is_named():
    one, sound = np.zeros((1, 3, 8, 8), np.uint8), np.zeros(10, np.float32)
    with pytest.raises(ValueError, match="0 to 51"):
        recode_frames(one, codec="h264", crf=52, fps=16)
    with pytest.raises(ValueError, match="h264, hevc"):
        recode_frames(one, codec="vp9", crf=30, fps=16)
    with pytest.raises(ValueError, match=r"T, 3, H, W"):
        recode_frames(one.transpose(0, 2, 3, 1), codec="h264", crf=30, fps=16)
    with pytest.raises(ValueError, match="aac spends 8000 to 576000"):
        recode_sound(sound, sample_rate_hz=RATE_HZ, codec="aac", bit_rate=1_000)


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_what_the_memory_held_before_decides_nothing(codec):
    """Encoders that read memory they never wrote give other pictures from run to run."""
    script = (
        "import sys, zlib, numpy as np; from hashformer.media.recode import recode_frames\n"
        "y, x = np.mgrid[:224, :224]\n"
        "waves = [[127 + 90 * np.sin((x + 5 * i) / 9 + k + y / 23) for k in range(3)] for i in range(20)]\n"
        "noise = np.random.default_rng(0).normal(0, 6, (20, 3, 224, 224))\n"
        "source = np.clip(np.array(waves) + noise, 0, 255).astype(np.uint8)\n"
        "for size in (224, 60):\n"
        "    part = np.ascontiguousarray(source[..., :size, :size])\n"
        f"    print(zlib.crc32(recode_frames(part, codec={codec!r}, crf=27, fps=16).tobytes()))\n"
    )
    found = set()
    for filled in ("1", "255"):  # glibc fills fresh memory with it
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "MALLOC_PERTURB_": filled, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(run.stdout)
    assert len(found) == 1

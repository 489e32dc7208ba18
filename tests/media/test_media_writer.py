"""What is written is read back as it was given, and appears whole or not at all."""

import numpy as np
import pytest

from hashformer.errors import MediaError
from hashformer.media import probe
from hashformer.media.audio import blocks
from hashformer.media.video import frames
from hashformer.media.writer import write_audio, write_video
from make_media import beeps


def picture(height=96, width=128):
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("size", [(96, 128), (720, 1280)])
def test_colours_survive_the_round_trip(tmp_path, size):
    smooth = np.stack(np.broadcast_arrays(*np.ogrid[: size[0], : size[1]], 60), axis=-1)
    smooth = (smooth * [255 / size[0], 255 / size[1], 1]).astype(np.uint8)
    write_video(tmp_path / "a.mp4", [smooth] * 3, fps=10, crf=10)
    rgb = next(frames(tmp_path / "a.mp4", fps=10)).rgb
    assert np.abs(rgb.astype(int) - smooth).mean() < 3


def test_an_odd_size_grows_by_one_pixel(tmp_path):
    write_video(tmp_path / "a.mp4", [picture(97, 127)] * 3, fps=10)
    info = probe(tmp_path / "a.mp4")
    assert info.video is not None
    assert (info.video.height, info.video.width) == (98, 128)


def test_times_of_ones_own_are_kept(tmp_path):
    times = [0.0, 0.5, 0.55, 1.4, 1.9]
    levels = [np.full((96, 128, 3), 50 * k, np.uint8) for k in range(5)]
    write_video(tmp_path / "a.mp4", levels, fps=10, times_s=times)
    shown = [round(float(f.rgb.mean()) / 50) for f in frames(tmp_path / "a.mp4", fps=20)]
    due = [max(k for k, t in enumerate(times) if t <= i / 20 + 1e-6) for i in range(38)]
    assert shown[:38] == due


def test_sound_comes_with_the_picture(tmp_path):
    sound = beeps(1.0, (0.5,))
    write_video(tmp_path / "a.mp4", [picture()] * 10, fps=10, waveform=sound, sample_rate_hz=16_000)
    back = np.concatenate([b.samples for b in blocks(tmp_path / "a.mp4", sample_rate_hz=16_000)])
    assert np.argmax(np.abs(back) > 0.3) / 16_000 == pytest.approx(0.5, abs=0.003)


def test_a_failure_leaves_nothing_behind(tmp_path):
    def broken():
        yield picture()
        raise RuntimeError("no more pictures")

    with pytest.raises(RuntimeError):
        write_video(tmp_path / "a.mp4", broken(), fps=10)
    assert list(tmp_path.iterdir()) == []


def test_no_picture_is_an_error(tmp_path):
    with pytest.raises(MediaError, match="no picture"):
        write_video(tmp_path / "a.mp4", [], fps=10)


def test_an_unknown_suffix_or_container_is_an_error(tmp_path):
    with pytest.raises(MediaError, match=r"\.wav"):
        write_audio(tmp_path / "a.xyz", beeps(1.0, ()), sample_rate_hz=16_000)
    with pytest.raises(MediaError):
        write_video(tmp_path / "a.nothing", [picture()], fps=10)
    with pytest.raises(MediaError):
        write_video(tmp_path / "a.mp4", [picture()], fps=10, codec="no_such_codec")

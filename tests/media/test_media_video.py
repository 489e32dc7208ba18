"""Pictures stand at their times, upright and in true colours, however the file was made or broken."""

from fractions import Fraction

import av
import numpy as np
import pytest

from hashformer.errors import MediaError
from hashformer.media.grid import TOLERANCE_S
from hashformer.media.video import frames
from make_media import (
    NTSC,
    SIZE,
    corners,
    counting,
    cut_bytes,
    damage_bytes,
    fast_start,
    flash_and_beep,
    frame_times,
    moving_pattern,
    remux,
    variable_times,
)

FPS = 16


def brightness(path, fps=FPS, **options):
    return [None if f.rgb is None else float(f.rgb.mean()) for f in frames(path, fps=fps, **options)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_grid_at_the_native_rate_shows_each_picture_once(tmp_path, suffix):
    path = counting(tmp_path / f"a{suffix}", n_frames=50)
    assert np.round(np.array(brightness(path, fps=25)) / 4).tolist() == list(range(50))


@pytest.mark.parametrize("native", [8, 25, NTSC, 60])
@pytest.mark.parametrize("fps", [5, 16, 30])
def test_shows_the_latest_picture_at_each_moment(tmp_path, native, fps):
    path = counting(tmp_path / "a.mp4", fps=native, n_frames=60)
    shown = np.round(np.array(brightness(path, fps=fps)) / 4)
    due = [int((i / fps + TOLERANCE_S) * float(native)) for i in range(len(shown))]
    assert shown.tolist() == due
    assert len(shown) == pytest.approx(60 / float(native) * fps, abs=1)


def test_a_variable_rate_keeps_real_time(tmp_path):
    times = variable_times(4.0)
    path = flash_and_beep(tmp_path / "a.mp4", times_s=times, at_s=(1.0, 3.0))
    lit = [i / FPS for i, level in enumerate(brightness(path)) if level > 128]
    assert lit[0] == pytest.approx(1.0, abs=0.12)
    assert min(t for t in lit if t > 2) == pytest.approx(3.0, abs=0.12)


def test_a_late_picture_leaves_its_moments_empty(tmp_path):
    path = remux(flash_and_beep(tmp_path / "a.mp4"), tmp_path / "late.mp4", video_delay_s=0.4)
    levels = brightness(path)
    assert levels[:7] == [None] * 7
    assert None not in levels[7:]
    assert next(i for i, level in enumerate(levels) if level and level > 128) == 23  # 1.4 s


def test_a_picture_that_is_late_by_less_than_its_own_duration_fills_the_start(tmp_path):
    path = remux(flash_and_beep(tmp_path / "a.mp4"), tmp_path / "late.mp4", video_delay_s=0.03)
    assert None not in brightness(path)


def test_a_gap_is_held_for_a_second_and_then_empty(tmp_path):
    source = counting(tmp_path / "a.mp4", n_frames=60, fps=10)
    times = [t for t in frame_times(6.0, 10) if not 1.0 <= t < 4.0]
    path = flash_and_beep(tmp_path / "gap.mp4", times_s=times, at_s=(), duration_s=6.0)
    empty = [i for i, level in enumerate(brightness(path)) if level is None]
    assert empty == list(range(round(1.9 * FPS + 0.5), 4 * FPS))
    longer = [i for i, level in enumerate(brightness(path, max_hold_s=2.0)) if level is None]
    assert longer == list(range(round(2.9 * FPS + 0.5), 4 * FPS))
    assert None not in brightness(source)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_film_is_upright(tmp_path, turn, mirrored):
    path = remux(corners(tmp_path / "a.mp4"), tmp_path / "b.mp4", rotation_deg=turn, mirrored=mirrored)
    rgb = next(frames(path, fps=10)).rgb
    stored = next(frames(tmp_path / "a.mp4", fps=10)).rgb
    due = by_matrix(stored, display_matrix(path))
    assert np.array_equal(rgb, due)
    if not mirrored:
        assert np.array_equal(due, np.rot90(stored, -turn // 90))


def display_matrix(path):
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        found = [bytes(side) for side in frame.side_data if side.type.name == "DISPLAYMATRIX"]
    return np.frombuffer(found[0], np.int32).reshape(3, 3) if found else np.eye(3)


def by_matrix(stored, matrix):
    """Move each pixel to where the matrix says: (x', y') = (x, y) · matrix."""
    y, x = np.mgrid[: stored.shape[0], : stored.shape[1]]
    placed = np.stack([x, y], axis=-1).reshape(-1, 2) @ np.sign(matrix[:2, :2])
    placed = (placed - placed.min(axis=0)).astype(int)
    shown = np.zeros((placed[:, 1].max() + 1, placed[:, 0].max() + 1, 3), np.uint8)
    shown[placed[:, 1], placed[:, 0]] = stored.reshape(-1, 3)
    return shown


def test_frames_do_not_share_memory_with_what_is_decoded_later(tmp_path):
    kept = [f.rgb for f in frames(counting(tmp_path / "a.mp4"), fps=25)]
    assert [round(float(rgb.mean()) / 4) for rgb in kept] == list(range(50))


PRIMARIES = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


@pytest.mark.parametrize("matrix", PRIMARIES)
@pytest.mark.parametrize(("full", "pix_fmt"), [(False, "yuv420p"), (True, "yuv420p"), (True, "yuvj420p")])
def test_colours_follow_the_matrix_and_range_that_the_file_states(tmp_path, matrix, full, pix_fmt):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, pix_fmt
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        frame = av.VideoFrame(128, 96, pix_fmt)
        for plane, value in zip(frame.planes, (120, 90, 170), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    rgb = next(frames(path, fps=10)).rgb
    assert np.abs(rgb[48, 64].astype(int) - plain_rgb(120, 90, 170, *PRIMARIES[matrix], full=full)).max() <= 2


def plain_rgb(y, u, v, kr, kb, *, full):
    """ITU-R BT.601, 709 and 2020 give the same formula with their own kr and kb."""
    black, luma, chroma = (0, 255, 255) if full else (16, 219, 224)
    luminance, blue, red = (y - black) / luma, (u - 128) / chroma, (v - 128) / chroma
    r, b = luminance + 2 * (1 - kr) * red, luminance + 2 * (1 - kb) * blue
    g = (luminance - kr * r - kb * b) / (1 - kr - kb)
    return np.round(np.clip([r, g, b], 0, 1) * 255)


def test_wide_pixels_are_made_square(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        frame = av.VideoFrame.from_ndarray(np.zeros((96, 128, 3), np.uint8))
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert next(frames(path, fps=10)).rgb.shape == (96, 192, 3)


def test_a_film_cut_short_gives_what_is_there_and_says_so(tmp_path):
    whole = fast_start(moving_pattern(tmp_path / "a.mp4", duration_s=4.0), tmp_path / "fast.mp4")
    problems = []
    levels = brightness(cut_bytes(whole, tmp_path / "cut.mp4", keep=0.5), problems=problems)
    assert 0.5 * FPS < len(levels) < 3 * FPS
    assert any("ends at" in line and "promises 4.0 s" in line for line in problems)


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_a_stream_cut_in_the_middle_is_read_to_the_cut(tmp_path, suffix):
    whole = remux(moving_pattern(tmp_path / "a.mp4", duration_s=4.0), tmp_path / f"b{suffix}")
    levels = brightness(cut_bytes(whole, tmp_path / f"cut{suffix}", keep=0.5))
    assert FPS < len(levels) < 3 * FPS


@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
def test_reading_goes_on_past_damage_and_counts_it(tmp_path, suffix):
    whole = remux(moving_pattern(tmp_path / "a.mp4", duration_s=4.0), tmp_path / f"b{suffix}")
    problems = []
    levels = brightness(damage_bytes(whole, tmp_path / f"bad{suffix}"), problems=problems)
    assert len(levels) >= 4 * FPS
    assert any("picture" in line and "packet" in line for line in problems)


@pytest.mark.parametrize("seed", range(6))
def test_no_damage_anywhere_ends_in_another_error_than_ours(tmp_path, seed):
    start = 0.15 * seed
    whole = moving_pattern(tmp_path / "a.mkv", duration_s=2.0)
    path = damage_bytes(whole, tmp_path / "bad.mkv", start=start + 0.01, end=start + 0.05, seed=seed)
    problems = []
    try:
        levels = brightness(path, problems=problems)
    except MediaError:
        return
    assert len(levels) == 32 or problems


def test_a_sound_film_reports_no_problem(tmp_path):
    problems = []
    list(frames(flash_and_beep(tmp_path / "a.mp4"), fps=FPS, problems=problems))
    assert problems == []


def test_the_size_may_change_in_mid_stream(tmp_path):
    small, large = moving_pattern(tmp_path / "s.ts"), moving_pattern(tmp_path / "l.ts", size=(192, 256))
    path = tmp_path / "both.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    problems = []
    shapes = [f.rgb.shape for f in frames(path, fps=FPS, problems=problems) if f.rgb is not None]
    assert {(*SIZE, 3), (192, 256, 3)} == set(shapes)
    assert len(shapes) >= 3.8 * FPS
    assert any("changes size" in line for line in problems)
    assert any("jump" in line for line in problems)


def test_a_rate_that_is_not_positive_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="positive"):
        frames(tmp_path / "a.mp4", fps=0)

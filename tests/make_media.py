"""Media with known contents for tests: made on the spot, small, and quick to make."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from hashformer.media.writer import write_audio, write_video

RATE_HZ = 16_000
SIZE = (96, 128)
"""Height and width of the made pictures."""
FLASH_S = 0.2
"""How long a flash and a beep last."""
NTSC = Fraction(30_000, 1001)


def beeps(duration_s: float, at_s: Sequence[float], *, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """Silence with a 1 kHz beep at each of the given times, (S,)."""
    times = np.arange(round(duration_s * rate_hz)) / rate_hz
    is_on = np.zeros(len(times), bool)
    for start in at_s:
        is_on |= (times >= start - 1e-9) & (times < start + FLASH_S)
    return np.where(is_on, 0.8 * np.cos(2 * np.pi * 1000 * times), 0).astype(np.float32)


def flashes(times_s: Sequence[float], at_s: Sequence[float]) -> Iterator[NDArray[np.uint8]]:
    """Black pictures that are white during each flash, (H, W, 3)."""
    for time in times_s:
        is_on = any(start - 1e-9 <= time < start + FLASH_S for start in at_s)
        yield np.full((*SIZE, 3), 255 if is_on else 0, np.uint8)


def frame_times(duration_s: float, fps: Fraction | int) -> list[float]:
    """When the pictures of a film at a fixed rate appear."""
    return [float(i / Fraction(fps)) for i in range(round(duration_s * float(fps)))]


def variable_times(duration_s: float, seed: int = 0) -> list[float]:
    """Irregular times, 10 to 120 ms apart."""
    steps = np.random.default_rng(seed).uniform(0.01, 0.12, size=round(duration_s * 100))
    times = np.concatenate([[0.0], np.cumsum(steps)])
    return [float(t) for t in times[times < duration_s]]


def flash_and_beep(
    path: Path,
    *,
    fps: Fraction | int = 25,
    duration_s: float = 4.0,
    at_s: Sequence[float] = (1.0, 2.5),
    sound_s: float | None = None,
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
) -> Path:
    """A clip that flashes white and beeps at the same known moments.

    `sound_s` makes the sound longer or shorter than the picture (0: no sound), `times_s` the rate variable.
    """
    sound_s = duration_s if sound_s is None else sound_s
    times = times_s if times_s is not None else frame_times(duration_s, fps)
    write_video(
        path,
        flashes(times, at_s),
        fps=fps,
        times_s=times_s,
        waveform=beeps(sound_s, at_s) if sound_s else None,
        codec=codec,
    )
    return path


def counting(path: Path, *, fps: Fraction | int = 25, n_frames: int = 50) -> Path:
    """A silent film whose picture i has the brightness 4 · i, so that each picture tells its number."""
    pictures = (np.full((*SIZE, 3), 4 * i, np.uint8) for i in range(n_frames))
    write_video(path, pictures, fps=fps, crf=1)
    return path


def moving_pattern(path: Path, *, fps: int = 25, duration_s: float = 2.0, size: tuple[int, int] = SIZE) -> Path:
    """A film of coloured stripes that move sideways, with a hum: heavier to decode than plain pictures."""
    y, x = np.mgrid[: size[0], : size[1]]

    def picture(i: int) -> NDArray[np.uint8]:
        waves = [127 + 120 * np.sin((x + 4 * i) / 9.0 + k + y / 23.0) for k in range(3)]
        return np.stack(waves, axis=-1).astype(np.uint8)

    hum = (0.3 * np.sin(np.arange(round(duration_s * RATE_HZ)) * 0.05)).astype(np.float32)
    write_video(path, (picture(i) for i in range(round(duration_s * fps))), fps=fps, waveform=hum)
    return path


def corners(path: Path) -> Path:
    """A still film whose top left quarter is red, top right green, bottom left blue, bottom right white."""
    picture = np.zeros((*SIZE, 3), np.uint8)
    h, w = SIZE[0] // 2, SIZE[1] // 2
    picture[:h, :w, 0] = picture[:h, w:, 1] = picture[h:, :w, 2] = 255
    picture[h:, w:] = 255
    write_video(path, (picture for _ in range(10)), fps=10)
    return path


def sound_only(path: Path, *, duration_s: float = 4.0, at_s: Sequence[float] = (1.0, 2.5)) -> Path:
    """A sound file with beeps; the suffix decides the format."""
    write_audio(path, beeps(duration_s, at_s), sample_rate_hz=RATE_HZ)
    return path


def remux(
    source: Path,
    target: Path,
    *,
    video_delay_s: float = 0.0,
    audio_delay_s: float = 0.0,
    rotation_deg: int = 0,
    mirrored: bool = False,
    drop_s: tuple[float, float] | None = None,
    drop_kinds: Sequence[str] = ("video", "audio"),
    repeat: int = 1,
) -> Path:
    """Copy packets to another file without encoding anew.

    Args:
        source: A film, a sound file or both in one.
        target: Where to; its suffix decides the container.
        video_delay_s: Later start of the picture.
        audio_delay_s: Later start of the sound.
        rotation_deg: Clockwise rotation that the container then asks for.
        mirrored: Whether the container then asks for mirroring, too.
        drop_s: Start and end of a stretch whose packets are left out.
        drop_kinds: In which streams.
        repeat: How many times the source is played, end to end.
    """
    delays = {"video": video_delay_s, "audio": audio_delay_s}
    with av.open(f"file:{source}") as first, av.open(f"file:{target}", "w") as out:
        streams = {}
        for stream in first.streams:
            if stream.type in delays:
                streams[stream.index] = out.add_stream_from_template(stream)
                if stream.type == "video" and (rotation_deg or mirrored):
                    streams[stream.index].set_display_rotation(-rotation_deg, hflip=mirrored)
        loop_s = float(first.duration or 0) / av.time_base
        last_dts: dict[int, int] = {}
        for lap in range(repeat):
            for packet in _packets(source):
                time_s = float(packet.pts * packet.time_base)
                kind = packet.stream.type
                is_overhang = repeat > 1 and (time_s >= loop_s or (lap > 0 and time_s < 0))
                is_dropped = drop_s is not None and kind in drop_kinds and drop_s[0] <= time_s < drop_s[1]
                shift = round((delays.get(kind, 0.0) + lap * loop_s) / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                index = packet.stream.index
                if index not in streams or is_overhang or is_dropped or packet.dts <= last_dts.get(index, -(2**62)):
                    continue
                last_dts[index] = packet.dts
                packet.stream = streams[index]
                out.mux(packet)
    return target


def _packets(path: Path) -> Iterator[av.Packet]:
    with av.open(f"file:{path}") as container:
        yield from (packet for packet in container.demux() if packet.dts is not None and packet.pts is not None)


def make_long(path: Path, duration_s: float, *, source: Path | None = None) -> Path:
    """A file of any length in seconds of work: a short clip, given or made, played over and over."""
    if source is None:
        source = flash_and_beep(path.with_name(f"{path.stem}-once.mp4"), fps=8, duration_s=10.0, at_s=(1.0, 6.0))
    with av.open(f"file:{source}") as container:
        once_s = float(container.duration or 0) / av.time_base
    return remux(source, path, repeat=max(1, round(duration_s / once_s)))


def cut_bytes(source: Path, target: Path, *, keep: float) -> Path:
    """The first part of a file, `keep` of its bytes, as a broken download leaves it."""
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * keep)])
    return target


def damage_bytes(source: Path, target: Path, *, start: float = 0.4, end: float = 0.5, seed: int = 0) -> Path:
    """A file in which the bytes from `start` to `end` of its length are noise."""
    content = bytearray(source.read_bytes())
    first, last = int(len(content) * start), int(len(content) * end)
    content[first:last] = np.random.default_rng(seed).bytes(last - first)
    target.write_bytes(content)
    return target


def fast_start(source: Path, target: Path) -> Path:
    """The same MP4 with its index in front, so that it can be played while it still loads."""
    with av.open(f"file:{source}") as read, av.open(f"file:{target}", "w", options={"movflags": "faststart"}) as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in read.streams}
        for packet in read.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    return target


def text_named_mp4(path: Path) -> Path:
    """A text under the name of a video."""
    path.write_text("This is not a video.\n" * 200)
    return path

"""Copies of real clips as they are uploaded again: coded at CRF 35, scaled, cropped, trimmed, and all of it at once.

python benchmarks/search_copies.py CLIPS WORK --clips 200

CLIPS is a folder with `manifest.csv` (columns path, label, duration_s and width; seconds and pixels). WORK gets a
folder for the masters, the first five seconds of each clip, one for each kind of copy, and one of other, shorter
clips. What is there is kept.
"""

import argparse
import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hashformer.media import probe
from hashformer.media.audio import blocks
from hashformer.media.picture import RGB
from hashformer.media.video import frames
from hashformer.media.writer import write_video
from hashformer.types import Floats

FPS, SAMPLE_RATE_HZ = 25, 48_000
LEAST_S, TAKEN_S, MAX_HEIGHT_PX = 5.0, 5.0, 480
MASTERS, FITTING = "master", "fitting"


@dataclass(frozen=True, kw_only=True)
class Copy:
    """What is done to a copy: pictures first scaled, then cropped on all sides alike, then coded."""

    crf: int = 23
    scale: float = 1.0
    crop: float = 0.0
    trim_s: float = 0.0

    def picture(self, rgb: RGB) -> RGB:
        """One picture of the copy."""
        height, width = rgb.shape[:2]
        if self.scale != 1:
            size = round(width * self.scale), round(height * self.scale)
            return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        top, left = round(height * self.crop / 2), round(width * self.crop / 2)
        return rgb[top : height - top, left : width - left]


COPIES = {
    "crf35": Copy(crf=35),
    "scale0.75": Copy(scale=0.75),
    "crop10": Copy(crop=0.1),
    "trim2": Copy(trim_s=2.0),
    # Trimmed by no multiple of the half second between windows, so that no window of the copy is one of the master.
    "mixed": Copy(crf=35, crop=0.1, trim_s=1.72),
}


def chosen(clips: Path, n_clips: int) -> list[Path]:
    """Clips with a picture that are long enough: real ones first, each class in the order of its paths' hashes."""
    with (clips / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["width"] and float(row["duration_s"]) >= LEAST_S]
    rows.sort(key=lambda row: (row["label"] != "real", hashlib.sha256(row["path"].encode()).digest()))
    kept = rows[:n_clips]
    n_real = sum(row["label"] == "real" for row in kept)
    print(f"{len(rows)} clips last {LEAST_S:g} s or longer; {len(kept)} taken, {n_real} of them real", flush=True)
    return [clips / row["path"] for row in kept]


def shorter(clips: Path, n_clips: int) -> list[Path]:
    """Real clips that are too short to be copied, in the order of their paths' hashes: other videos."""
    with (clips / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["width"] and row["label"] == "real"]
    rows = [row for row in rows if 1.0 <= float(row["duration_s"]) < LEAST_S]
    rows.sort(key=lambda row: hashlib.sha256(row["path"].encode()).digest())
    return [clips / row["path"] for row in rows[:n_clips]]


def make_master(source: Path, target: Path) -> None:
    """The first seconds of a clip, at most `MAX_HEIGHT_PX` high."""
    pictures = []
    for frame in frames(source, fps=FPS):
        if frame.rgb is None or frame.index >= TAKEN_S * FPS:
            break
        pictures.append(_at_most(frame.rgb))
    sound = _sound(source)
    n_samples = round(TAKEN_S * SAMPLE_RATE_HZ)
    waveform = None if sound is None else sound[:n_samples]
    write_video(target, pictures, fps=FPS, waveform=waveform, sample_rate_hz=SAMPLE_RATE_HZ)


def make_copy(master: Path, target: Path, copy: Copy) -> None:
    """One copy of a master."""
    first = round(copy.trim_s * FPS)
    pictures = [copy.picture(frame.rgb) for frame in frames(master, fps=FPS) if frame.rgb is not None]
    sound = _sound(master)
    waveform = None if sound is None else sound[round(first / FPS * SAMPLE_RATE_HZ) :]
    write_video(target, pictures[first:], fps=FPS, waveform=waveform, sample_rate_hz=SAMPLE_RATE_HZ, crf=copy.crf)


def _at_most(rgb: RGB) -> RGB:
    factor = MAX_HEIGHT_PX / rgb.shape[0]
    if factor >= 1:
        return rgb
    size = round(rgb.shape[1] * factor), MAX_HEIGHT_PX
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _sound(path: Path) -> Floats | None:
    if probe(path).audio is None:
        return None
    return np.concatenate([block.samples for block in blocks(path, sample_rate_hz=SAMPLE_RATE_HZ)])


def _unless_there(path: Path, make: Callable[[Path], None]) -> None:
    if not path.is_file():
        make(path)


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--clips", dest="n_clips", type=int, default=200)
    parser.add_argument("--fitting", type=int, default=60, help="shorter clips that the codes are fitted to")
    args = parser.parse_args()
    for number, source in enumerate(chosen(args.clips, args.n_clips)):
        name = f"{number:03d}.mp4"
        master = args.work / MASTERS / name
        _unless_there(master, lambda path, source=source: make_master(source, path))  # type: ignore[misc]
        for kind, copy in COPIES.items():
            _unless_there(
                args.work / kind / name,
                lambda path, copy=copy: make_copy(master, path, copy),  # type: ignore[misc] # noqa: B023
            )
    for number, source in enumerate(shorter(args.clips, args.fitting)):
        _unless_there(
            args.work / FITTING / f"{number:03d}.mp4",
            lambda path, source=source: make_master(source, path),  # type: ignore[misc]
        )
    print(f"{len(COPIES)} copies of each in {args.work}")


if __name__ == "__main__":
    main()

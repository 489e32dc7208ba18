"""Pictures of a media file on a regular grid of moments, decoded once and in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from hashformer.errors import MediaError
from hashformer.media.clock import Clock
from hashformer.media.container import open_media, picture_stream
from hashformer.media.decode import Notes, clock_for, decoded, note_ending, stamp_s
from hashformer.media.grid import Timed, on_grid
from hashformer.media.picture import RGB, Painter

MAX_HOLD_S = 1.0
"""How long a picture stands for its moment when none follows, unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class GridFrame:
    """The picture at one moment of the grid.

    Attributes:
        index: The moment, `index / fps` seconds from the start of the file.
        rgb: The picture as displayed, (H, W, 3) RGB uint8; None where the file has none. Two moments that
            show one picture share the array: do not write to it. H and W may change in mid-stream.
    """

    index: int
    rgb: RGB | None


def frames(
    path: Path, *, fps: int, max_hold_s: float = MAX_HOLD_S, problems: list[str] | None = None
) -> Iterator[GridFrame]:
    """Yield the picture on display at each moment of the grid, from the start of the file to its last picture.

    The number of moments follows the real duration, whatever the native rate. Memory does not grow with it.

    Args:
        path: A media file with a picture.
        fps: Moments a second, at least 1.
        max_hold_s: How long a picture is held when none follows; after that the file has a gap.
        problems: One line is appended for each thing found wrong with the picture, at the end of it.

    Yields:
        One `GridFrame` for each index 0, 1, 2, …

    Raises:
        ValueError: If `fps` or `max_hold_s` is not positive.
        MediaError: On the first step, if the file cannot be opened or has no picture.
    """
    if fps < 1 or max_hold_s <= 0:
        raise ValueError(f"fps and max_hold_s must be positive, got {fps} and {max_hold_s}")
    return _frames(path, fps, max_hold_s, problems)


def _frames(path: Path, fps: int, max_hold_s: float, problems: list[str] | None) -> Iterator[GridFrame]:
    notes = Notes("picture")
    try:
        with open_media(path) as container:
            stream = picture_stream(container)
            if stream is None:
                raise MediaError(f"{path}: has no picture, only sound.")
            stream.thread_type = "AUTO"
            clock = clock_for(container)
            painter = Painter(stream.sample_aspect_ratio)
            for index, frame in on_grid(_timed(container, stream, clock, notes), fps=fps, max_hold_s=max_hold_s):
                yield GridFrame(index, None if frame is None else painter.paint(frame))
            note_ending(stream, clock, notes)
    finally:
        notes.hand_over(problems)


def _timed(container: InputContainer, stream: VideoStream, clock: Clock, notes: Notes) -> Iterator[Timed[VideoFrame]]:
    rate = stream.average_rate or stream.guessed_rate
    usual_s = float(1 / rate) if rate else 0.04
    size: tuple[int, int] | None = None
    for frame in decoded(container, stream, notes):
        if not isinstance(frame, VideoFrame):
            continue
        duration_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s
        start_s = clock.place(stamp_s(frame), duration_s)
        if frame.is_corrupt:
            notes.count("picture is damaged", "pictures are damaged")
        if size not in (None, (frame.width, frame.height)):
            notes.say(f"the picture changes size at {start_s:.1f} s")
        size = frame.width, frame.height
        yield Timed(start_s, duration_s, frame)

"""The only arithmetic between seconds, frame indices and sample indices.

Time zero is the start of the media file (the container's start time). Frame `i` of a grid stands at
`i / fps` seconds, sample `i` at `i / sample_rate_hz`. Rates are whole numbers of hertz, so that every
conversion is exact and picture and sound can never drift apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass


def frame_time_s(frame_idx: int, fps: int) -> float:
    """Time at which frame `frame_idx` of an `fps` grid stands, in seconds."""
    return frame_idx / fps


def frame_index(time_s: float, fps: int) -> int:
    """Index of the grid frame nearest to `time_s`."""
    return round(time_s * fps)


def sample_index(time_s: float, sample_rate_hz: int) -> int:
    """Index of the sound sample nearest to `time_s`."""
    return round(time_s * sample_rate_hz)


@dataclass(frozen=True)
class Window:
    """A stretch of media time on the frame grid: `n_frames` frames from `first_frame`."""

    first_frame: int
    n_frames: int
    fps: int

    @property
    def start_s(self) -> float:
        """Time of the first frame, in seconds."""
        return self.first_frame / self.fps

    @property
    def end_s(self) -> float:
        """Time one frame after the last, in seconds."""
        return (self.first_frame + self.n_frames) / self.fps

    @property
    def last_frame(self) -> int:
        """Index one past the last frame."""
        return self.first_frame + self.n_frames

    def samples(self, sample_rate_hz: int) -> tuple[int, int]:
        """First and one-past-last sound sample that cover the same seconds as the frames."""
        first = round(self.first_frame * sample_rate_hz / self.fps)
        return first, first + round(self.n_frames * sample_rate_hz / self.fps)


def windows(
    n_frames: int, *, window_frames: int, stride_frames: int, fps: int, first_frame: int = 0
) -> Iterator[Window]:
    """Slide a window over the frame grid.

    Args:
        n_frames: Frames in the whole stretch, counted from frame 0.
        window_frames: Frames in one window, at least 1.
        stride_frames: Frames between the starts of two windows, at least 1.
        fps: Rate of the grid in hertz.
        first_frame: Where the first window starts.

    Yields:
        Every window that fits wholly before `n_frames`.

    Raises:
        ValueError: If a length is not positive.
    """
    if window_frames < 1 or stride_frames < 1:
        raise ValueError(f"window and stride must be at least one frame, got {window_frames} and {stride_frames}")
    for start in range(first_frame, n_frames - window_frames + 1, stride_frames):
        yield Window(start, window_frames, fps)


def n_frames_covering(n_samples: int, sample_rate_hz: int, fps: int) -> int:
    """Frames of the grid that `n_samples` of sound reach into."""
    return -(-n_samples * fps // sample_rate_hz)

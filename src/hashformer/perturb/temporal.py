"""Perturbations that need more than one picture: each takes the frames of a grid as they come and gives as many.

A moment without a picture stays one. Where the picture changes its size, what is smeared or held starts anew.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from hashformer.media.picture import RGB
from hashformer.media.recode import VideoCodec, recode_stream
from hashformer.media.video import GridFrame
from hashformer.perturb.picture import damaged

GROUP_FRAMES = 32
"""Black and corrupted frames are counted in groups of so many."""
BLOCK_FRAMES = 4

TimeChange = Callable[[Iterable[GridFrame], float, "Setting"], Iterator[GridFrame]]


@dataclass(frozen=True)
class Setting:
    """What a stream is perturbed with, but for the parameter of the level."""

    fps: int
    seed: int

    def rng(self, *keys: int) -> np.random.Generator:
        """Chance that depends on nothing but the seed and a place in the stream."""
        return np.random.default_rng([self.seed, *keys])


def frame_rate(frames: Iterable[GridFrame], fps: float, setting: Setting) -> Iterator[GridFrame]:
    """A film of a lower rate on the same grid: a picture is held until the film's next one is due."""
    held: RGB | None = None
    shown = -1
    for frame in frames:
        number = int(frame.index * fps // setting.fps)
        if frame.rgb is None:
            yield frame
            continue
        if number != shown or held is None or held.shape != frame.rgb.shape:
            held, shown = frame.rgb, number
        yield GridFrame(frame.index, held)


def motion_blur(frames: Iterable[GridFrame], reach: float, _: Setting) -> Iterator[GridFrame]:
    """The mean of the pictures up to `reach` frames before and after; fewer at the ends."""
    n_side = round(reach)
    around: deque[GridFrame] = deque(maxlen=2 * n_side + 1)
    ahead = 0
    for frame in frames:
        around.append(frame)
        ahead += 1
        if ahead > n_side:
            ahead -= 1
            yield _mean(around, len(around) - 1 - n_side, n_side)
    for position in range(len(around) - ahead, len(around)):
        yield _mean(around, position, n_side)


def _mean(around: deque[GridFrame], position: int, n_side: int) -> GridFrame:
    middle = around[position]
    if middle.rgb is None:
        return middle
    near = list(around)[max(0, position - n_side) : position + n_side + 1]
    like = [frame.rgb for frame in near if frame.rgb is not None and frame.rgb.shape == middle.rgb.shape]
    total = np.zeros(middle.rgb.shape, np.uint32)
    for rgb in like:
        total += rgb
    return GridFrame(middle.index, ((total + len(like) // 2) // len(like)).astype(np.uint8))


def black_frames(frames: Iterable[GridFrame], count: float, setting: Setting) -> Iterator[GridFrame]:
    """`count` of every 32 frames, at random, are black."""

    def chosen(rng: np.random.Generator) -> set[int]:
        return set(rng.permutation(GROUP_FRAMES)[: round(count)].tolist())

    for frame, hit in _hit(frames, setting, chosen):
        yield GridFrame(frame.index, np.zeros_like(frame.rgb)) if hit and frame.rgb is not None else frame


def corrupted_run(frames: Iterable[GridFrame], count: float, setting: Setting) -> Iterator[GridFrame]:
    """`count` of every 32 frames, in a row that starts at random, are damaged; see `picture.damaged`."""

    def chosen(rng: np.random.Generator) -> set[int]:
        # Scaling one draw makes the longer run of a higher level hold the shorter one.
        first = int(rng.random() * (GROUP_FRAMES - round(count) + 1))
        return set(range(first, first + round(count)))

    return _corrupted(frames, setting, chosen)


def corrupted_blocks(frames: Iterable[GridFrame], count: float, setting: Setting) -> Iterator[GridFrame]:
    """`count` of every 32 frames, in blocks of 4 at random places, are damaged."""

    def chosen(rng: np.random.Generator) -> set[int]:
        blocks = rng.permutation(GROUP_FRAMES // BLOCK_FRAMES)[: round(count) // BLOCK_FRAMES]
        return {int(block) * BLOCK_FRAMES + k for block in blocks for k in range(BLOCK_FRAMES)}

    return _corrupted(frames, setting, chosen)


def _corrupted(
    frames: Iterable[GridFrame], setting: Setting, chosen: Callable[[np.random.Generator], set[int]]
) -> Iterator[GridFrame]:
    for frame, hit in _hit(frames, setting, chosen):
        if hit and frame.rgb is not None:
            yield GridFrame(frame.index, damaged(frame.rgb, setting.rng(1, frame.index)))
        else:
            yield frame


def _hit(
    frames: Iterable[GridFrame], setting: Setting, chosen: Callable[[np.random.Generator], set[int]]
) -> Iterator[tuple[GridFrame, bool]]:
    """Every frame and whether it is among those chosen of its group."""
    group, places = -1, set[int]()
    for frame in frames:
        if frame.index // GROUP_FRAMES != group:
            group = frame.index // GROUP_FRAMES
            places = chosen(setting.rng(0, group))
        yield frame, frame.index % GROUP_FRAMES in places


def coded(codec: VideoCodec) -> TimeChange:
    """A round trip through an encoder that runs along; it holds about 20 pictures."""

    def change(frames: Iterable[GridFrame], crf: float, setting: Setting) -> Iterator[GridFrame]:
        waiting: deque[GridFrame] = deque()

        def pictures() -> Iterator[RGB]:
            for frame in frames:
                waiting.append(frame)
                if frame.rgb is not None:
                    yield frame.rgb

        for rgb in recode_stream(pictures(), codec=codec, crf=round(crf), fps=setting.fps):
            while waiting[0].rgb is None:
                yield waiting.popleft()
            yield GridFrame(waiting.popleft().index, rgb)
        yield from waiting

    return change


TIME_CHANGES: dict[str, TimeChange] = {
    "video-compression": coded("h264"),
    "h264": coded("h264"),
    "h265": coded("hevc"),
    "frame-rate": frame_rate,
    "motion-blur": motion_blur,
    "black-frames": black_frames,
    "corrupted-run": corrupted_run,
    "corrupted-blocks": corrupted_blocks,
}

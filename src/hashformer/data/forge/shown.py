"""What the forgeries of the picture share: the frames as OpenCV wants them, and the truth about them."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.base import Forged, Span, Truth
from hashformer.errors import ForgeryError
from hashformer.types import Clip, Floats, Frames, Mask

MIN_SEEN = 0.25
"""Least share of a clip's frames that must show the face."""


class Shown(NamedTuple):
    """The picture of a clip.

    Attributes:
        frames: (T, H, W, 3) uint8, a copy: it may be written to.
        landmarks: (T, 478, 2) float32, NaN in gaps; not a copy.
        present: Where the face is, (T,).
    """

    frames: NDArray[np.uint8]
    landmarks: Floats
    present: Mask

    @property
    def size_px(self) -> int:
        """Side of the square frames."""
        return int(self.frames.shape[1])

    @property
    def seen(self) -> NDArray[np.intp]:
        """Indices of the frames with a face."""
        return np.flatnonzero(self.present)


def shown(clip: Clip | None, *, name: str) -> Shown:
    """Take the picture out of a clip.

    Args:
        clip: The clip or the partner.
        name: What it is called in an error.

    Raises:
        ForgeryError: If there is no clip, no picture in it, or the face is hardly ever there.
    """
    if clip is None:
        raise ForgeryError(f"the {name} is missing; this forgery takes two clips")
    if clip.frames is None or clip.landmarks is None:
        raise ForgeryError(f"the {name} has no face with landmarks; forge its sound instead")
    present = np.asarray(np.isfinite(clip.landmarks).all((1, 2)), np.bool_)
    if present.sum() < max(2.0, MIN_SEEN * len(present)):
        raise ForgeryError(
            f"the {name} shows a face in {present.sum()} of {len(present)} frames; "
            f"at least {MIN_SEEN:.0%} and two are needed: draw another clip"
        )
    return Shown(np.ascontiguousarray(np.moveaxis(clip.frames, 1, -1)), clip.landmarks, present)


def forged_picture(
    clip: Clip, frames: NDArray[np.uint8], landmarks: Floats, *, mask: NDArray[np.uint8], kind: str, in_sync: bool
) -> Forged:
    """Put a forged picture in the place of the clip's own, over the whole of its window.

    Args:
        clip: The real clip.
        frames: What is shown now, (T, H, W, 3) uint8.
        landmarks: Of what is shown now, (T, 478, 2).
        mask: How far each pixel was changed, (T, H, W) uint8.
        kind: Name of the forgery.
        in_sync: Whether the lips still follow the sound.
    """
    whole = (Span(clip.window.start_s, clip.window.end_s),)
    spans: dict[Truth, tuple[Span, ...]] = {"video": whole}
    if clip.waveform is not None:
        spans |= {"audio": (), "sync": () if in_sync else whole}
    planes: Frames = np.ascontiguousarray(np.moveaxis(frames, -1, 1))
    made = replace(clip, frames=planes, landmarks=landmarks.astype(np.float32))
    return Forged(clip=made, kind=kind, spans=spans, mask=mask)

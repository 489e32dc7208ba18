"""One decoded frame to an upright RGB picture: colours, pixel shape and rotation."""

import math
from fractions import Fraction
from typing import NamedTuple, cast

import cv2
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

RGB = NDArray[np.uint8]
"""(H, W, 3), uint8."""

HD_HEIGHT = 720
"""From this height on, a picture that does not say how its colours are coded is taken for BT.709."""
MAX_PIXEL_ASPECT = 4.0
"""A pixel shape beyond this is a damaged header."""

# AVColorSpace as frames carry it -> the matrix as the scaler names it.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}


class Orientation(NamedTuple):
    """How a stored picture becomes the displayed one: swap axes first, then flip."""

    rotation_deg: int
    swap_axes: bool
    flip_rows: bool
    flip_columns: bool

    def apply(self, rgb: RGB) -> RGB:
        """The picture, (H, W, 3), as it is to be seen; contiguous."""
        if self.swap_axes:
            rgb = rgb.transpose(1, 0, 2)
        if self.flip_rows:
            rgb = rgb[::-1]
        if self.flip_columns:
            rgb = rgb[:, ::-1]
        return np.ascontiguousarray(rgb)


UPRIGHT = Orientation(0, False, False, False)


def orientation(frame: VideoFrame) -> Orientation:
    """How the frame is to be turned, from its display matrix; `rotation_deg` is clockwise.

    The matrix maps stored to displayed coordinates, x' = a·x + c·y and y' = b·x + d·y, with y downwards.
    It is rounded to the nearest quarter turn; mirroring is kept.
    """
    try:
        matrix = cast("SideDataContainer", frame.side_data)[Type.DISPLAYMATRIX]
    except KeyError:
        return UPRIGHT
    except ValueError:  # PyAV does not know some other side data of the frame, and then shows none
        return _turned(-frame.rotation % 360)
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5].tolist()
    if a == b == c == d == 0:
        return UPRIGHT
    rotation_deg = round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    if abs(b) > abs(a):
        return Orientation(rotation_deg, True, flip_rows=b < 0, flip_columns=c < 0)
    return Orientation(rotation_deg, False, flip_rows=d < 0, flip_columns=a < 0)


def _turned(rotation_deg: int) -> Orientation:
    quarters = round(rotation_deg / 90) % 4
    return Orientation(quarters * 90, quarters % 2 == 1, flip_rows=quarters in (2, 3), flip_columns=quarters in (1, 2))


def display_size(frame: VideoFrame, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Width and height of the frame as displayed: square pixels, upright.

    Args:
        frame: A decoded frame.
        pixel_aspect: Width of a stored pixel by its height; None if unknown.
    """
    width, height = _square_pixel_size(frame, pixel_aspect)
    return (height, width) if orientation(frame).swap_axes else (width, height)


class Painter:
    """Turns decoded frames into RGB; keeps the last, since a slow film shows one frame several times."""

    def __init__(self, pixel_aspect: Fraction | None) -> None:
        self._pixel_aspect = pixel_aspect
        self._reformatter = VideoReformatter()
        self._frame: VideoFrame | None = None
        self._rgb: RGB | None = None

    def paint(self, frame: VideoFrame) -> RGB:
        """The frame as displayed, (H, W, 3) RGB. The same array for the same frame twice in a row."""
        if self._rgb is None or frame is not self._frame:
            width, height = _square_pixel_size(frame, self._pixel_aspect)
            rgb = self._reformatter.reformat(
                frame,
                width=width,
                height=height,
                format="rgb24",
                src_colorspace=_matrix(frame),
                dst_colorspace=Colorspace.DEFAULT,
                src_color_range=frame.color_range,
                dst_color_range=ColorRange.JPEG,
                interpolation=Interpolation.BILINEAR,
            )
            self._rgb = orientation(frame).apply(rgb.to_ndarray().astype(np.uint8, copy=False))  # (H, W, 3)
            self._frame = frame
        return self._rgb


def _matrix(frame: VideoFrame) -> Colorspace:
    unsaid = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
    return _MATRICES.get(frame.colorspace, unsaid)


def _square_pixel_size(frame: VideoFrame, pixel_aspect: Fraction | None) -> tuple[int, int]:
    if not pixel_aspect or not 1 / MAX_PIXEL_ASPECT <= pixel_aspect <= MAX_PIXEL_ASPECT:
        return frame.width, frame.height
    return max(1, round(frame.width * pixel_aspect)), frame.height


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a crop's grey levels, 0–255: low is blurred, or drawn up from few pixels.

    Args:
        crop: (3, H, W) RGB.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(crop.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())

"""The 478 points of a face: MediaPipe's landmarker on the detected face, each frame on its own.

Still-image mode on purpose: video mode smooths over time, and a 3 px jump then measures 1.4 px.
"""

from typing import Self

import cv2
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from hashformer.assets import FACE_LANDMARKER, asset_path
from hashformer.faces.runtime import as_image, starting
from hashformer.types import Floats

N_LANDMARKS = 478
_ROOM = 1.8
"""Side of the square that the landmarker sees, in box sides: its own detector wants hair and chin."""
_MAX_SIDE_PX = 512
"""Larger squares are reduced: the network reads 256 px."""


class FaceLandmarker:
    """Finds the landmarks of one face. Load once; close when done (it is a context manager)."""

    def __init__(self) -> None:
        path = str(asset_path(FACE_LANDMARKER))
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=path), running_mode=vision.RunningMode.IMAGE, num_faces=1
        )
        with starting(path):
            self._model = vision.FaceLandmarker.create_from_options(options)
            self._model.detect(as_image(np.zeros((192, 192, 3), np.uint8)))

    def __call__(self, rgb: NDArray[np.uint8], box: Floats) -> Floats | None:
        """Find the landmarks of the face in `box`.

        Args:
            rgb: The whole picture, (H, W, 3) uint8.
            box: Left, top, right, bottom of the face in pixels, (4,).

        Returns:
            x and y in pixels of the whole picture, (478, 2) float32; None where no face can be fitted.
        """
        square, left, top = _square_around(rgb, box)
        side = square.shape[0]
        if side > _MAX_SIDE_PX:
            reduced = cv2.resize(square, (_MAX_SIDE_PX, _MAX_SIDE_PX), interpolation=cv2.INTER_AREA)
            square = np.asarray(reduced, np.uint8)
        faces = self._model.detect(as_image(square)).face_landmarks
        if not faces:
            return None
        return np.array([(point.x * side + left, point.y * side + top) for point in faces[0]], np.float32)

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _square_around(rgb: NDArray[np.uint8], box: Floats) -> tuple[NDArray[np.uint8], int, int]:
    """The square around a box with room, black where it leaves the picture; its left and top."""
    height, width = rgb.shape[:2]
    side = max(16, round(_ROOM * float(max(box[2] - box[0], box[3] - box[1]))))
    left = round(float(box[0] + box[2]) / 2 - side / 2)
    top = round(float(box[1] + box[3]) / 2 - side / 2)
    square = np.zeros((side, side, 3), np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x1 > x0 and y1 > y0:
        square[y0 - top : y1 - top, x0 - left : x1 - left] = rgb[y0:y1, x0:x1]
    return square, left, top

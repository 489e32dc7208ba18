"""Where the faces of a picture are: MediaPipe's full-range detector, near and far."""

from typing import Self

import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from hashformer.assets import FACE_DETECTOR, asset_path
from hashformer.config import FaceConfig
from hashformer.faces.runtime import as_image, starting
from hashformer.types import Floats


class FaceDetector:
    """Finds faces in one picture. Load once; close when done (it is a context manager)."""

    def __init__(self, config: FaceConfig) -> None:
        path = str(asset_path(FACE_DETECTOR))
        options = vision.FaceDetectorOptions(
            base_options=BaseOptions(model_asset_path=path),
            running_mode=vision.RunningMode.IMAGE,
            min_detection_confidence=config.min_detection_score,
        )
        with starting(path):
            self._model = vision.FaceDetector.create_from_options(options)
            self._model.detect(as_image(np.zeros((192, 192, 3), np.uint8)))

    def __call__(self, rgb: NDArray[np.uint8]) -> Floats:
        """Find all faces.

        Args:
            rgb: A picture, (H, W, 3) uint8.

        Returns:
            Left, top, right, bottom in pixels, (n, 4) float32, the largest first.
        """
        found = [face.bounding_box for face in self._model.detect(as_image(rgb)).detections]
        found = sorted(
            (box for box in found if box.width > 0 and box.height > 0), key=lambda box: -box.width * box.height
        )
        boxes = [(box.origin_x, box.origin_y, box.origin_x + box.width, box.origin_y + box.height) for box in found]
        return np.array(boxes, np.float32).reshape(-1, 4)

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""Fetch the face models, the image weights and the sample clips, so that everything after runs without a network."""

import logging
import sys

from hashformer.assets import DEMO_CLIP, FACE_DETECTOR, FACE_LANDMARKER, IMAGE_WEIGHTS, SAMPLE_CLIP, asset_path
from hashformer.errors import AssetError

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        for asset in (FACE_DETECTOR, FACE_LANDMARKER, SAMPLE_CLIP, DEMO_CLIP, IMAGE_WEIGHTS):
            asset_path(asset)
    except AssetError as error:
        sys.exit(str(error))

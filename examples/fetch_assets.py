"""Fetch the face models and the sample clip, so that everything after runs without a network."""

import logging
import sys

from hashformer.errors import AssetError
from hashformer.faces.assets import FACE_DETECTOR, FACE_LANDMARKER, SAMPLE_CLIP, asset_path

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        for asset in (FACE_DETECTOR, FACE_LANDMARKER, SAMPLE_CLIP):
            asset_path(asset)
    except AssetError as error:
        sys.exit(str(error))

"""What tests share: the real sample clip, the face models loaded once, one detector."""

import os
from pathlib import Path

import pytest

from hashformer.assets import DEMO_CLIP, FACE_DETECTOR, FACE_LANDMARKER, IMAGE_WEIGHTS, SAMPLE_CLIP, asset_path
from hashformer.cache import cache_dir
from hashformer.config import FaceConfig
from hashformer.faces.follow import FaceFinder
from make_faces import clip_frames

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def cached(asset):
    """The asset, if it was fetched before: tests use no network."""
    if not os.environ.get("HASHFORMER_ASSETS") and not (cache_dir("assets") / asset.name).is_file():
        pytest.skip(f"{asset.name} was not fetched; `make assets` does it")
    return asset_path(asset)


@pytest.fixture(scope="session")
def sample_clip():
    """Path of four seconds of a real man speaking, silent, 176 × 144 at 29.97 fps."""
    return cached(SAMPLE_CLIP)


@pytest.fixture(scope="session")
def demo_clip():
    """Path of two seconds of a real face of 152 px, 640 × 360 at 30 fps."""
    return cached(DEMO_CLIP)


@pytest.fixture(scope="session")
def image_stem():
    """Path of the image weights that the mobile stem may start from."""
    return cached(IMAGE_WEIGHTS)


@pytest.fixture(scope="session")
def man(sample_clip):
    """The sample clip's pictures at 8 fps, (H, W, 3) each."""
    return clip_frames(sample_clip, fps=8)


@pytest.fixture(scope="session")
def finder():
    """The face models with the default settings."""
    cached(FACE_DETECTOR)
    cached(FACE_LANDMARKER)
    with FaceFinder(FaceConfig()) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def detector(finder):
    """A detector with the tiny preset: true in every stage, untrained."""
    from hashformer.detector import Detector

    with Detector("tiny") as loaded:
        yield loaded


@pytest.fixture(scope="session")
def shared_data():
    """The folder of labelled clips that lies beside the checkout in some places."""
    if not (SHARED_DATA / "manifest.csv").is_file():
        pytest.skip(f"no {SHARED_DATA}")
    return SHARED_DATA

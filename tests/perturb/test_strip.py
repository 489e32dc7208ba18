"""The picture in the documentation is what the example draws."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_strip_in_the_documentation_is_up_to_date(sample_clip):
    """Golden: docs/img/perturbations.png, made by examples/perturbation_strip.py."""
    spec = importlib.util.spec_from_file_location("perturbation_strip", ROOT / "examples" / "perturbation_strip.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    golden = cv2.imread(str(ROOT / "docs" / "img" / "perturbations.png"))[..., ::-1]
    drawn = example.strip(sample_clip)
    assert drawn.shape == golden.shape
    # Scaling and encoders may round otherwise on another processor.
    assert np.abs(drawn.astype(int) - golden).mean() < 0.5

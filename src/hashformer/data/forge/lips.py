"""How wide the mouth is open, and whether lips shown at a moment could be those that spoke."""

import numpy as np

from hashformer.data.forge.regions import LOWER_LIP, UPPER_LIP
from hashformer.types import Floats

MIN_MISFIT = 0.012
"""Mean difference of the opening, in face heights, from which lips are said not to fit the sound."""
_TOP, _CHIN = 10, 152


def opening(landmarks: Floats) -> Floats:
    """Gap between the lips in face heights, (T,); NaN in gaps.

    Args:
        landmarks: (T, 478, 2).
    """
    gap = np.linalg.norm(landmarks[:, UPPER_LIP] - landmarks[:, LOWER_LIP], axis=-1).mean(-1)
    height = np.linalg.norm(landmarks[:, _TOP] - landmarks[:, _CHIN], axis=-1)
    return np.asarray(gap / np.maximum(height, 1e-6), np.float32)


def misfit(own: Floats, other: Floats) -> float:
    """Mean difference of the opening of two faces, frame by frame; gaps are left out.

    Args:
        own: Landmarks that belong to the sound, (T, 478, 2).
        other: Landmarks that are shown instead, of the same frames.

    Returns:
        In face heights; 0 where no frame shows both.
    """
    difference = np.abs(opening(own) - opening(other))
    known = difference[~np.isnan(difference)]
    return float(known.mean()) if len(known) else 0.0

"""What both face models share: images as MediaPipe takes them, and silence while it starts."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import mediapipe as mp
import numpy as np
from numpy.typing import NDArray

from hashformer.errors import AssetError


def as_image(rgb: NDArray[np.uint8]) -> mp.Image:
    """Wrap an RGB picture, (H, W, 3) uint8."""
    return mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))


@contextmanager
def starting(model_file: str) -> Iterator[None]:
    """Keep MediaPipe's start-up chatter off the terminal; show it in the error if the start fails.

    Its C++ side writes to file descriptor 2 whatever the log level, so the descriptor itself is
    turned aside for the moment.

    Raises:
        AssetError: If MediaPipe cannot start from `model_file`.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except (RuntimeError, ValueError, OSError) as error:
            chatter.seek(0)
            lines = chatter.read().decode(errors="replace").split("\n")
            libraries = [line for line in lines if "cannot open shared object" in line]
            reason = " ".join([str(error), *libraries])
            raise AssetError(f"{model_file}: MediaPipe could not start: {reason}") from error
        finally:
            os.dup2(kept, 2)
            os.close(kept)

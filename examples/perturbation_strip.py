"""Draw docs/img/perturbations.png: every kind of picture perturbation at every level, on the sample clip."""

import sys
from pathlib import Path

import cv2
import numpy as np

from hashformer.assets import SAMPLE_CLIP, asset_path
from hashformer.media.picture import RGB
from hashformer.media.video import GridFrame, frames
from hashformer.perturb import KINDS, Perturbation

FPS, SHOWN, LEVELS = 16, 16, 5
SCALE = 2
"""The clip is small; enlarged, the shorter side has the 256 px from which `block-wise` acts."""
TILE = (112, 96)
LABEL_PX = 136


def film(path: Path) -> list[RGB]:
    """The clip's first two seconds, enlarged."""
    found = [frame.rgb for frame in frames(path, fps=FPS) if frame.rgb is not None][: 2 * FPS]
    return [np.asarray(cv2.resize(rgb, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)) for rgb in found]


def row(kind: str, pictures: list[RGB]) -> RGB:
    """A kind's name and the same moment at level 0 to 5."""
    tiles = [_label(kind)]
    for level in range(LEVELS + 1):
        if level > len(KINDS[kind].levels):
            tiles.append(np.full((TILE[1], TILE[0], 3), 255, np.uint8))
            continue
        perturbation = Perturbation(kind, level)
        given = list(perturbation.pictures((GridFrame(i, rgb) for i, rgb in enumerate(pictures)), fps=FPS))
        shown = given[SHOWN].rgb
        if shown is None:
            raise ValueError(f"{kind} took the picture of frame {SHOWN} away")
        tiles.append(_tile(shown, "as it is" if not level else f"{level}: {perturbation.parameter:g}"))
    return np.concatenate(tiles, axis=1)


def _tile(rgb: RGB, text: str) -> RGB:
    tile = np.full((TILE[1], TILE[0], 3), 255, np.uint8)
    height = TILE[1] - 18
    small = cv2.resize(rgb, (round(height * rgb.shape[1] / rgb.shape[0]), height), interpolation=cv2.INTER_AREA)
    tile[:height, : small.shape[1]] = small
    return _written(tile, text, (2, TILE[1] - 5), 0.4)


def _label(text: str) -> RGB:
    return _written(np.full((TILE[1], LABEL_PX, 3), 255, np.uint8), text, (4, TILE[1] // 2), 0.45)


def _written(rgb: RGB, text: str, place: tuple[int, int], size: float) -> RGB:
    cv2.putText(rgb, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (30, 30, 30), 1, cv2.LINE_AA)
    return rgb


def strip(path: Path) -> RGB:
    """All kinds, one under the other."""
    pictures = film(path)
    kinds = [kind for kind, grid in KINDS.items() if grid.stream == "picture"]
    return np.concatenate([row(kind, pictures) for kind in kinds])


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/img/perturbations.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(target), strip(asset_path(SAMPLE_CLIP))[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])

"""Difference maps as pictures for people: the two, and three maps, side by side on fixed scales."""

import cv2
import numpy as np

from hashformer.evaluate.diffmap import Maps
from hashformer.evaluate.pairs import Pair
from hashformer.media.picture import RGB
from hashformer.types import Floats

TILE_PX = 320
"""Longer side of one picture in the panel."""
FULL_PIXEL, FULL_STRUCTURE, FULL_TEXTURE = 0.25, 1.0, 0.5
"""Where the brightest colour of each map stands: the same in every panel, so that two can be compared."""
_HEAD_PX, _GAP_PX = 26, 4
_PAPER, _INK = 250, (40, 40, 40)


def panel(pair: Pair, maps: Maps) -> RGB:
    """Real, fake, pixel difference, structure and texture in one row, (H, W, 3); the face's hull is outlined."""
    tiles = [
        ("real", _fitted(pair.real)),
        ("manipulated", _fitted(pair.fake)),
        (f"pixel difference, 0 to {FULL_PIXEL:g}", _heat(maps.pixel, FULL_PIXEL, pair)),
        (f"1 - SSIM, 0 to {FULL_STRUCTURE:g}", _heat(maps.structure, FULL_STRUCTURE, pair)),
        (f"texture distance, 0 to {FULL_TEXTURE:g}", _heat(maps.texture, FULL_TEXTURE, pair)),
    ]
    return np.ascontiguousarray(np.concatenate([_titled(title, tile) for title, tile in tiles], axis=1))


def to_png(rgb: RGB) -> bytes:
    """A picture as the bytes of a PNG file."""
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(rgb[:, :, ::-1]))
    if not done:
        raise ValueError(f"a picture of shape {rgb.shape} does not go into a PNG")
    return encoded.tobytes()


def _fitted(rgb: RGB) -> RGB:
    scale = TILE_PX / max(rgb.shape[:2])
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, size, interpolation=way), np.uint8)


def _heat(values: Floats, full: float, pair: Pair) -> RGB:
    levels = np.clip(np.rint(values * (255 / full)), 0, 255).astype(np.uint8)
    coloured = np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), np.uint8)[:, :, ::-1]
    heat = _fitted(np.ascontiguousarray(coloured))
    if pair.landmarks is not None:
        scale = TILE_PX / max(values.shape)
        outline = cv2.convexHull(np.rint(pair.landmarks * scale).astype(np.int32))
        cv2.polylines(heat, [outline], True, (120, 200, 220), 1, cv2.LINE_AA)
    return heat


def _titled(title: str, tile: RGB) -> RGB:
    height, width = tile.shape[:2]
    # Of even sides, as films want them.
    sheet = np.full((2 * -(-(height + _HEAD_PX) // 2), 2 * -(-(width + _GAP_PX) // 2), 3), _PAPER, np.uint8)
    sheet[_HEAD_PX : _HEAD_PX + height, :width] = tile
    scale = min(0.45, 0.45 * (width - 4) / max(1, cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0]))
    cv2.putText(sheet, title, (2, _HEAD_PX - 9), cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)
    return sheet

"""Mouth splice: the mouth of another moment on this moment's face, so that the lips do not fit the sound."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.base import Forged, ForgeryKind
from hashformer.data.forge.lips import MIN_MISFIT, misfit
from hashformer.data.forge.pose import moved, moved_picture, similarity
from hashformer.data.forge.region import MIN_SIDE_PX, Picture, Region, feathered, filled
from hashformer.data.forge.regions import HULLS, LIPS_OUTER, OVAL
from hashformer.data.forge.shown import Shown, forged_picture, shown
from hashformer.data.forge.texture import Texture, draw_texture
from hashformer.errors import ForgeryError
from hashformer.types import Clip, Floats

MIN_OFFSET_S = 0.2
"""Moments of one file that are closer than this still look in sync."""
_ANCHORS = np.array([168, 6, 197, 195, 4, 1, 2, 98, 327, 133, 362, 33, 263, 50, 280, 205, 425, 123, 352])
"""Nose, eye corners and cheeks: the head's pose where the mouth is, hardly moved by speech."""
MAX_TURN = 0.08
"""Heads that differ more would need a mouth seen from another side."""
_TRIES = 8


class _Look(NamedTuple):
    """What is drawn once for a clip."""

    shape: str
    affine: bool
    growth: float
    feather_px: float
    colour: float
    texture: Texture | None


def mouth_splice(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Show the mouth of another moment, fitted to each frame's pose and colours.

    Args:
        clip: Left as it is.
        partner: Where the mouth comes from: another moment of the file or another file. A shorter one is
            read to and fro.
        rng: The only source of chance.
        sample_rate_hz: Not used; the sound stays.

    Raises:
        ForgeryError: If there is no face or no partner, or the lips would fit all the same.
    """
    del sample_rate_hz
    picture, source = shown(clip, name="clip"), shown(partner, name="partner")
    order = _draw_moments(clip, partner or clip, picture, source, rng)
    look = _draw_look(picture.size_px, rng)
    region = Region(np.zeros((len(picture.frames), 4), np.intp), np.zeros(picture.frames.shape[:3], np.uint8))
    landmarks = picture.landmarks.copy()
    for index in picture.seen:
        matrix = _pose(source.landmarks[order[index]], picture.landmarks[index], affine=look.affine)
        there = moved(source.landmarks[order[index]], matrix)
        _lay_region(region, index, look, own=picture.landmarks[index], new=there)
        if (region.boxes[index, 2:] - region.boxes[index, :2] < MIN_SIDE_PX).any():
            region.masks[index] = 0
            continue  # the mouth lies outside the picture
        part = moved_picture(source.frames[order[index]], matrix, box=region.boxes[index])
        part = _matched(part, region.part(picture.frames, index), region, index, look.colour)
        region.paste(picture.frames, index, look.texture(part) if look.texture else part)
        landmarks[index] = _blended(picture.landmarks[index], there, region.masks[index])
    if not region.masks.any():
        raise ForgeryError("mouth_splice: the mouth lies outside the picture in every frame. Draw another kind")
    return forged_picture(clip, picture.frames, landmarks, mask=region.masks, kind="mouth_splice", in_sync=False)


def _draw_moments(clip: Clip, other: Clip, picture: Shown, source: Shown, rng: np.random.Generator) -> NDArray[np.intp]:
    """For each frame of the clip the other's frame whose mouth it gets, in running order, (T,).

    Of several that are drawn, the one whose heads look the most alike way.
    """
    there_and_back = np.concatenate([source.seen, source.seen[-2:0:-1]])
    n_frames, n_spare = len(picture.frames), len(source.seen) - len(picture.frames)
    moments = other.window.first_frame + np.arange(other.window.n_frames)
    now = clip.window.first_frame + np.arange(n_frames)
    found: list[tuple[float, NDArray[np.intp]]] = []
    for attempt in range(_TRIES):
        run_on = n_spare > 0 and attempt < _TRIES - 2
        first = int(rng.integers(n_spare + 1 if run_on else len(there_and_back)))
        order = there_and_back[(first + np.arange(n_frames)) % len(there_and_back)]
        if np.median(np.abs(moments[order] - now)) < MIN_OFFSET_S * clip.window.fps:
            continue
        if misfit(picture.landmarks, source.landmarks[order]) >= MIN_MISFIT:
            found.append((_turned(picture, source, order), order))
    if not found:
        raise ForgeryError(
            f"mouth_splice: in none of {_TRIES} draws are the moments {MIN_OFFSET_S} s apart and the lips different by "
            f"{MIN_MISFIT} face heights, so they would fit the sound. Draw another partner"
        )
    turned, order = min(found, key=lambda pair: pair[0])
    if turned > MAX_TURN:
        raise ForgeryError(
            f"mouth_splice: the heads look different ways: their points miss each other by {turned:.2f} eye distances, "
            f"above {MAX_TURN}. Draw another partner"
        )
    return order


def _turned(picture: Shown, source: Shown, order: NDArray[np.intp]) -> float:
    """How far the anchors miss each other after turning, scaling and shifting, in eye distances."""
    misses = []
    for index in picture.seen[:: max(1, len(picture.seen) // 8)]:
        own, other = picture.landmarks[index], source.landmarks[order[index]]
        matrix = similarity(other[_ANCHORS], own[_ANCHORS])
        missed = np.linalg.norm(moved(other[_ANCHORS], matrix) - own[_ANCHORS], axis=-1).mean()
        misses.append(missed / np.linalg.norm(own[33] - own[263]))
    return float(np.mean(misses))


def _draw_look(size_px: int, rng: np.random.Generator) -> _Look:
    shape = str(rng.choice(["mouth", "lower_face", "box"], p=[0.45, 0.3, 0.25]))
    smooth = rng.random() < 0.4
    return _Look(
        shape=shape,
        affine=bool(rng.random() < 0.5),
        growth=float(rng.uniform(1.0, 1.25) if shape == "mouth" else rng.uniform(0.9, 1.0)),
        feather_px=float(rng.uniform(0.008, 0.025) * size_px),
        colour=float(rng.uniform(0.7, 1.0)),
        texture=draw_texture(float(rng.uniform(0.4, 0.75)), rng=rng) if smooth else None,
    )


def _pose(source: Floats, target: Floats, *, affine: bool) -> NDArray[np.float64]:
    """The map of one face's pose to the other's by least squares, (2, 3)."""
    here, there = source[_ANCHORS].astype(np.float64), target[_ANCHORS].astype(np.float64)
    if affine:
        design = np.concatenate([here, np.ones((len(here), 1))], axis=1)
        return np.asarray(np.linalg.lstsq(design, there, rcond=None)[0].T, np.float64)
    return similarity(here, there)


def _lay_region(region: Region, index: int, look: _Look, *, own: Floats, new: Floats) -> None:
    """The new mouth and what of the old one would show beside it."""
    size = region.masks.shape[-1]
    if look.shape == "box":
        points = np.concatenate([own[HULLS["mouth"]], new[LIPS_OUTER]])
        low, high = points.min(0), points.max(0)
        points = np.array([low, (low[0], high[1]), high, (high[0], low[1])], np.float32)
    else:
        points = np.concatenate([own[HULLS[look.shape]], new[LIPS_OUTER]])
    middle = points.mean(0)
    grown = (middle + look.growth * (points - middle)).astype(np.float32)
    # What lies beside the new face is its background, which must not come along.
    mask = feathered(np.minimum(filled(grown, size), filled(new[OVAL], size)), look.feather_px)
    room = math.ceil(2.5 * look.feather_px)
    low, high = np.floor(grown.min(0)).astype(int) - room, np.ceil(grown.max(0)).astype(int) + room
    left, top, right, bottom = region.boxes[index] = np.clip([*low, *high], 0, size)
    region.masks[index, top:bottom, left:right] = mask[top:bottom, left:right]


def _matched(part: Picture, own: Picture, region: Region, index: int, share: float) -> Picture:
    """Give a part the mean colour that the face has along the edge of the region."""
    left, top, right, bottom = region.boxes[index]
    mask = region.masks[index, top:bottom, left:right]
    edge = ((mask > 8) & (mask < 200)).astype(np.uint8)
    if edge.sum() < 20:
        edge = np.ones_like(edge)
    shift = share * (np.array(cv2.mean(own, edge)[:3]) - np.array(cv2.mean(part, edge)[:3]))
    levels = np.clip(np.arange(256)[:, None] + np.rint(shift), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(part, levels[None]), np.uint8)


def _blended(own: Floats, new: Floats, mask: NDArray[np.uint8]) -> Floats:
    """Landmarks of what is shown: the new ones where the mask shows the new picture."""
    places = np.clip(np.floor(new).astype(int), 0, mask.shape[-1] - 1)
    weight = (mask[places[:, 1], places[:, 0]] / np.float32(255))[:, None]
    return np.asarray(own + weight * (new - own), np.float32)


KINDS: tuple[ForgeryKind, ...] = (
    ForgeryKind(name="mouth_splice", make=mouth_splice, needs=frozenset({"picture"}), partner="moment"),
)

"""Faces blended into a clip: its own, disturbed, or another person's.

Source: Shiohara and Yamasaki, Detecting Deepfakes with Self-Blended Images (CVPR 2022), for pictures;
here one draw holds for all frames of a clip, since a trace that flickers gives itself away.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.base import Forged, ForgeryKind
from hashformer.data.forge.disturb import Disturbance
from hashformer.data.forge.hull import Hull, blended, filled
from hashformer.data.forge.regions import (
    CONTROL,
    EYE_LEFT,
    EYE_RIGHT,
    HULLS,
    LIPS_INNER,
    LOWER_LIDS,
    LOWER_LIP,
    UPPER_LIDS,
    UPPER_LIP,
)
from hashformer.data.forge.shown import Shown, forged_picture, shown
from hashformer.data.forge.warp import Area, border, dense_map, resample
from hashformer.errors import ForgeryError
from hashformer.faces.mirror import mirrored
from hashformer.timebase import frame_time_s
from hashformer.types import Clip, Floats

_MAX_YAW_GAP = 0.2
"""How differently two faces may look to the side, in face widths that the nose tip is off the middle."""
_N_COLOUR_FRAMES = 6
_EYE_ROOM = 0.2
"""How much around an eye stays with it, in widths of the eye."""


def face_blend(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Blend a disturbed copy of each frame back into it through a deformed hull of the face.

    The lips still follow the sound. Gaps stay as they are.

    Args:
        clip: With a picture.
        partner: Not used.
        rng: Source of chance.
        sample_rate_hz: Not used.

    Raises:
        ForgeryError: If there is no picture.
    """
    face = shown(clip, name="clip")
    disturb = Disturbance.draw(rng, size_px=face.size_px)
    hull = Hull.draw(rng)
    masks = np.zeros(face.frames.shape[:3], np.uint8)
    landmarks = face.landmarks.copy()
    for index in face.seen:
        time_s = frame_time_s(int(index), clip.window.fps)
        masks[index] = hull.mask(face.landmarks[index], face.size_px)
        new = disturb(face.frames[index], time_s)
        face.frames[index] = blended(face.frames[index], new, masks[index])
        share = _at(masks[index], face.landmarks[index])
        landmarks[index] += share[:, None] * disturb.moved(face.landmarks[index], time_s)
    return forged_picture(clip, face.frames, landmarks, mask=masks, kind="face_blend", in_sync=True)


def cross_blend(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Put the face of another person in the place of this one, frame by frame: a face swap.

    The other face is warped onto this clip's landmarks, so that the lips follow the sound, and takes on
    its colours. Where this mouth is open wider than the other's, its own inside stays, and where one
    eye is open and the other is not, the own eye: a closed one cannot be warped open. A shorter partner
    is played to and fro.

    Args:
        clip: With a picture.
        partner: Of another person, with a picture.
        rng: Source of chance.
        sample_rate_hz: Not used.

    Raises:
        ForgeryError: If either has no picture, or the two look to different sides.
    """
    face = shown(clip, name="clip")
    other = _turned_alike(face, shown(partner, name="partner"))
    hull = Hull.draw(rng, region="face" if rng.random() < 0.6 else "inner_face", ratios=(0.7, 1.0))
    # A head that turns away for a moment is left out: its frames cannot be warped to this one.
    usable = other.seen[np.abs(_yaws(other) - np.median(_yaws(face))) <= _MAX_YAW_GAP]
    order = to_and_fro(usable, len(face.frames), start=int(rng.integers(len(usable))))
    table = _colour_table(face, other, strength=rng.uniform(0.75, 1))
    interpolation = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    anchors = border(face.size_px)
    # The partner's crops may be of another size.
    scale = face.size_px / other.size_px
    masks = np.zeros(face.frames.shape[:3], np.uint8)
    for index in face.seen:
        theirs, ours = other.landmarks[order[index]], face.landmarks[index]
        masks[index] = _without_open_parts(hull.mask(ours, face.size_px), ours, theirs * scale)
        area = Area(*cv2.boundingRect(masks[index]))
        if area.width == 0:  # the face lies wholly outside its crop
            continue
        source = np.concatenate([theirs[CONTROL], anchors / scale])
        places = dense_map(source, np.concatenate([ours[CONTROL], anchors]), area)
        new = cv2.LUT(resample(other.frames[order[index]], places, interpolation=interpolation), table)
        part = (index, slice(area.top, area.top + area.height), slice(area.left, area.left + area.width))
        face.frames[part] = blended(face.frames[part], np.asarray(new, np.uint8), masks[part])
    return forged_picture(clip, face.frames, face.landmarks.copy(), mask=masks, kind="cross_blend", in_sync=True)


def to_and_fro(indices: NDArray[np.intp], n_frames: int, *, start: int = 0) -> NDArray[np.intp]:
    """Play a list forwards and backwards until it fills `n_frames`, beginning with its item `start`."""
    there_and_back = np.concatenate([indices, indices[-2:0:-1]])
    return there_and_back[(start + np.arange(n_frames)) % len(there_and_back)]


def _at(mask: NDArray[np.uint8], landmarks: Floats) -> Floats:
    columns, rows = np.clip(landmarks, 0, len(mask) - 1).astype(np.intp).T
    return np.asarray(mask[rows, columns] / 255, np.float32)


def _yaws(face: Shown) -> Floats:
    """How far the face looks to the right where it is there: nose tip from between the temples, in face widths."""
    points = face.landmarks[face.present]
    left, right, nose = points[:, 234, 0], points[:, 454, 0], points[:, 4, 0]
    return np.asarray((nose - (left + right) / 2) / np.maximum(right - left, 1), np.float32)


def _turned_alike(face: Shown, other: Shown) -> Shown:
    """The other face, mirrored if it then looks to the same side."""
    ours = float(np.median(_yaws(face)))
    yaws = _yaws(other)
    # The lower middle one: a median between two frames might be that of neither.
    theirs = float(np.sort(yaws)[(len(yaws) - 1) // 2])
    gap = min(abs(ours - theirs), abs(ours + theirs))
    if gap > _MAX_YAW_GAP:
        raise ForgeryError(
            f"the two faces look to different sides by {gap:.2f} face widths, at most {_MAX_YAW_GAP} can be "
            "swapped: draw another partner"
        )
    if abs(ours - theirs) <= abs(ours + theirs):
        return other
    flipped = np.ascontiguousarray(other.frames[:, :, ::-1])
    return Shown(flipped, mirrored(other.landmarks, width_px=other.size_px), other.present)


def _colour_table(face: Shown, other: Shown, *, strength: float) -> NDArray[np.uint8]:
    """Give the other face's red, green and blue the mean and spread of this one's, (1, 256, 3).

    Source: Reinhard et al., Color transfer between images (2001); in RGB, one table for the clip.
    """
    (our_mean, our_spread), (mean, spread) = _colours(face), _colours(other)
    gain = 1 + strength * (np.clip(our_spread / np.maximum(spread, 1), 0.5, 2) - 1)
    offset = mean + strength * (our_mean - mean) - gain * mean
    levels = np.arange(256)[:, None] * gain + offset
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)[None]


def _colours(face: Shown) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    seen = face.seen[np.linspace(0, len(face.seen) - 1, _N_COLOUR_FRAMES).astype(int)]
    inside = [
        face.frames[index][filled(_outline(face.landmarks[index]), face.size_px) > 127] for index in np.unique(seen)
    ]
    pixels = np.concatenate(inside).astype(np.float64)
    return pixels.mean(0), pixels.std(0)


def _outline(landmarks: Floats) -> Floats:
    return np.asarray(cv2.convexHull(landmarks[HULLS["inner_face"]]), np.float32)[:, 0]


def _without_open_parts(mask: NDArray[np.uint8], ours: Floats, theirs: Floats) -> NDArray[np.uint8]:
    """Take the inside of the mouth out where ours is open wider than theirs, and eyes where one blinks."""
    our_lips, their_lips = (_gap(face, UPPER_LIP, LOWER_LIP) for face in (ours, theirs))
    our_eyes, their_eyes = (_gap(face, UPPER_LIDS, LOWER_LIDS) for face in (ours, theirs))
    if our_lips > 1.3 * their_lips + 1.5:
        mask = _without(mask, ours[LIPS_INNER], spread=0)
    if our_eyes > 1.4 * their_eyes + 1.5 or their_eyes > 1.5 * our_eyes + 1:
        for eye in (EYE_RIGHT, EYE_LEFT):
            mask = _without(mask, ours[eye], spread=_EYE_ROOM)
    return mask


def _gap(landmarks: Floats, upper: NDArray[np.intp], lower: NDArray[np.intp]) -> float:
    return max(float((landmarks[lower, 1] - landmarks[upper, 1]).mean()), 0)


def _without(mask: NDArray[np.uint8], outline: Floats, *, spread: float) -> NDArray[np.uint8]:
    """Take a polygon out of a mask; `spread` is how far beyond, in shares of its width."""
    width_px = float(np.ptp(outline[:, 0]))
    inside = filled(outline, len(mask))
    reach = 2 * round(spread * width_px) + 1
    if reach > 1:
        inside = np.asarray(cv2.dilate(inside, np.ones((reach, reach), np.uint8)), np.uint8)
    soft = np.asarray(cv2.blur(inside, (max(3, reach), max(3, reach))), np.uint8)
    return np.asarray(cv2.min(mask, 255 - soft), np.uint8)


KINDS = (
    ForgeryKind(name="face_blend", make=face_blend, needs=frozenset({"picture"})),
    ForgeryKind(name="cross_blend", make=cross_blend, needs=frozenset({"picture"}), partner="other"),
)

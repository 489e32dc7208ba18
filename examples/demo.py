"""Score a real clip and a forged version of it, and write the report: `make demo`."""

import logging
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.assets import DEMO_CLIP, asset_path
from hashformer.config import FaceConfig
from hashformer.detector import Detector
from hashformer.errors import HashFormerError
from hashformer.evidence import explain_all
from hashformer.faces.detect import FaceDetector
from hashformer.faces.landmarks import FaceLandmarker
from hashformer.media.video import frames
from hashformer.media.writer import write_video
from hashformer.report.document import make_document, write_json
from hashformer.report.html import write_html
from hashformer.report.text import summary, timing_table

FPS = 30
SHIFT_FRAMES = 45
"""The forged mouth is the same person's, a second and a half later."""
# Landmarks that speech does not move, and the lower face from cheek to cheek around the mouth.
RIGID = [33, 133, 362, 263, 168, 6, 10, 234, 454]
MOUTH = [50, 205, 206, 207, 212, 202, 204, 194, 201, 200, 421, 418, 424, 422, 432, 427, 426, 425, 280, 4]
CHEEKS = (234, 454)
DRAWN_PX = 40
"""Width of the face that the forged mouth is drawn for. It is a coarse forgery; finer ones score lower."""
RGB = NDArray[np.uint8]


def forge(source: Path, target: Path) -> None:
    """Splice the mouth of another moment, as small as lip-sync networks draw it, into every frame."""
    pictures = [frame.rgb for frame in frames(source, fps=FPS) if frame.rgb is not None]
    with FaceDetector(FaceConfig()) as detector, FaceLandmarker() as landmarker:
        points = [landmarker(picture, detector(picture)[0]) for picture in pictures]
    forged = []
    for index, (picture, here) in enumerate(zip(pictures, points, strict=True)):
        other = (index + SHIFT_FRAMES) % len(pictures)
        there = points[other]
        if here is None or there is None:
            raise HashFormerError(f"{source}: no face in frame {index} or {other}; the demo needs one in every frame")
        forged.append(splice(picture, here, pictures[other], there))
    write_video(target, forged, fps=FPS)


def splice(picture: RGB, here: NDArray[np.float32], other: RGB, there: NDArray[np.float32]) -> RGB:
    """Lay the mouth region of `other` over `picture`, drawn small, aligned by the rigid points, with a soft edge."""
    height, width = picture.shape[:2]
    share = min(1.0, DRAWN_PX / float(np.linalg.norm(there[CHEEKS[0]] - there[CHEEKS[1]])))
    small = cv2.resize(other, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    other = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    matrix, _ = cv2.estimateAffinePartial2D(there[RIGID], here[RIGID])
    moved = np.asarray(cv2.warpAffine(other, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.float32)
    mask = np.zeros((height, width), np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(here[MOUTH].astype(np.int32)), 1.0)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 2.0), np.float32)[..., None]
    return np.asarray(soft * moved + (1 - soft) * picture, np.uint8)


def main(folder: Path) -> None:
    """Make the forged clip, score both, print the answers, write the documents."""
    real, forged = asset_path(DEMO_CLIP), folder / "single_face-forged.mp4"
    forge(real, forged)
    with Detector() as detector:
        results = list(explain_all(detector, [real, forged]))
        document = make_document(results, settings=detector.config.model_dump(mode="json"))
    write_json(document, folder / "results.json")
    write_html(document, folder / "report.html", title="A real clip and a forged version of it")
    for result in results:
        print(summary(result, document), end="\n\n")
    print(timing_table(results))
    print(f"\nThe report: {(folder / 'report.html').resolve()}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        main(Path("out/demo"))
    except HashFormerError as error:
        sys.exit(f"demo: {error}")

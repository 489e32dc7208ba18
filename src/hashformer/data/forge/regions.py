"""Which of the 478 landmarks make up which part of the face."""

import numpy as np

_OVAL = """
10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377
152 148 176 149 150 136 172 58 132 93 234 127 162 21 54 103 67 109
"""
OVAL = np.array([int(number) for number in _OVAL.split()])
"""The outline, clockwise from the middle of the hairline."""
LIPS_OUTER = np.array([61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185])
LIPS_INNER = np.array([78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191])
EYE_RIGHT = np.array([33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246])
EYE_LEFT = np.array([263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466])
BROWS = np.array([70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276])
NOSE = np.array([168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 48, 278, 64, 294, 129, 358, 94])
CHEEKS = np.array([50, 280, 101, 330, 205, 425, 187, 411, 123, 352, 36, 266, 147, 376, 192, 416, 207, 427])
CHIN = np.array([200, 199, 18, 83, 313])
FOREHEAD = np.array([151, 9, 8, 108, 337])
IRISES = np.array([468, 473])

CONTROL = np.concatenate(
    [OVAL[::2], LIPS_OUTER, LIPS_INNER, EYE_RIGHT, EYE_LEFT, BROWS[::2], NOSE, CHEEKS[:10], CHIN, FOREHEAD, IRISES]
)
"""The points that a smooth warp of the whole face is tied to, (K',)."""
RIGID = np.array([33, 133, 263, 362, 168, 6, 197, 10, 338, 109, 297, 67, 332, 103, 234, 454, 127, 356, 151, 9])
"""Points that hardly move but with the head, (K',)."""
UPPER_LIDS, LOWER_LIDS = (
    np.array([246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398]),
    np.array([7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382]),
)
UPPER_LIP, LOWER_LIP = (
    np.array([191, 80, 81, 82, 13, 312, 311, 310, 415]),
    np.array([95, 88, 178, 87, 14, 317, 402, 318, 324]),
)
"""Inner edges, above and below each other."""

HULLS = {
    "face": OVAL,
    "inner_face": np.concatenate([BROWS, LIPS_OUTER, CHEEKS, CHIN, NOSE]),
    "lower_face": np.concatenate([OVAL[9:28], [50, 280, 4, 101, 330]]),
    "mouth": np.concatenate([LIPS_OUTER, [200, 2, 207, 427, 57, 287, 164]]),
    "eyes_nose": np.concatenate([BROWS, EYE_RIGHT, EYE_LEFT, NOSE]),
    "eyes": np.concatenate([BROWS, EYE_RIGHT, EYE_LEFT]),
}
"""Parts of the face whose convex hull a forgery is blended through."""

"""What is true of a clip, from what the manifest says of its file."""

from hashformer.data.forge.base import MIN_OVERLAP_S
from hashformer.data.manifest import FakeSegment, Row
from hashformer.timebase import Window

UNKNOWN = float("nan")


def clip_labels(row: Row, window: Window) -> dict[str, float]:
    """Labels of one clip, 1 = fake, 0 = real, NaN = not known; as `forge.base.Forged.labels` gives them.

    Where the manifest gives the fake stretches of a file, a clip that meets none of them is real.

    Args:
        row: What the manifest says of the file.
        window: The seconds of the clip.

    Returns:
        `video` and `audio`: whether that stream is forged here. `sync`: whether the two do not belong together
        here; where the manifest does not say, it is 0 if both are genuine in a real file, and 1 if both are genuine
        in a fake one, for then it is all that can be fake; else unknown: a forger may have made them fit.
        `overall`: whether anything is.
    """
    if row.label == 0:  # nothing in it is forged, whatever streams it has
        return {"video": 0.0, "audio": 0.0, "sync": 0.0, "overall": 0.0}
    labels = {
        "video": _stream(row.video_fake, "video", row, window),
        "audio": _stream(row.audio_fake, "audio", row, window),
        "sync": _stream(_sync(row), "sync", row, window),
    }
    overall = float(_meets(row, window, {"video", "audio", "sync", ""})) if row.fake_segments else 1.0
    return {**labels, "overall": overall}


def _sync(row: Row) -> bool | None:
    if row.sync_fake is None and row.video_fake is False and row.audio_fake is False:
        return True
    return row.sync_fake


def _stream(is_fake: bool | None, name: str, row: Row, window: Window) -> float:
    if row.fake_segments and not _meets(row, window, {"video", "audio", "sync", ""}):
        return 0.0 if is_fake is not None or name == "sync" else UNKNOWN
    if is_fake is None:
        return UNKNOWN
    if is_fake and row.fake_segments:
        return float(_meets(row, window, {name, ""}))
    return float(is_fake)


def _meets(row: Row, window: Window, modalities: set[str]) -> bool:
    return any(
        min(segment.end_s, window.end_s) - max(segment.start_s, window.start_s) >= _needed_s(segment)
        for segment in row.fake_segments
        if segment.modality in modalities
    )


def _needed_s(segment: FakeSegment) -> float:
    """How much of a stretch a clip must show: as much as of a forgery, or all of a stretch that is shorter."""
    return max(min(MIN_OVERLAP_S, segment.end_s - segment.start_s), 1e-3) - 1e-9

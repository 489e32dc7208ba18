"""What is true of a clip, from what the manifest says of its file."""

from hashformer.data.manifest import Row
from hashformer.timebase import Window

UNKNOWN = float("nan")


def clip_labels(row: Row, window: Window) -> dict[str, float]:
    """Labels of one clip, 1 = fake, 0 = real, NaN = not known.

    Where the manifest gives the fake stretches of a file, a clip that meets none of them is real.

    Args:
        row: What the manifest says of the file.
        window: The seconds of the clip.

    Returns:
        `video` and `audio`: whether that stream is forged here. `sync`: 0 where both are known to be
        genuine, since a genuine file's sound belongs to its picture; else unknown: a forger may have
        made them fit. `overall`: whether anything is.
    """
    video = _stream(row.video_fake, "video", row, window)
    audio = _stream(row.audio_fake, "audio", row, window)
    genuine = row.video_fake is False and row.audio_fake is False
    overall = float(_meets(row, window, {"video", "audio", ""})) if row.fake_segments else float(row.label)
    return {"video": video, "audio": audio, "sync": 0.0 if genuine else UNKNOWN, "overall": overall}


def _stream(is_fake: bool | None, name: str, row: Row, window: Window) -> float:
    if is_fake is None:
        return UNKNOWN
    if is_fake and row.fake_segments:
        return float(_meets(row, window, {name, ""}))
    return float(is_fake)


def _meets(row: Row, window: Window, modalities: set[str]) -> bool:
    return any(
        segment.start_s < window.end_s and window.start_s < segment.end_s
        for segment in row.fake_segments
        if segment.modality in modalities
    )

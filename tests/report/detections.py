"""Detections made by hand: one of each kind that a report must show."""

import hashlib

import cv2
import numpy as np

from hashformer.config import Config
from hashformer.report.document import make_document
from hashformer.results import (
    AudioStream,
    Detection,
    ErrorRate,
    HeatMap,
    MediaInfo,
    Occlusion,
    Scores,
    Second,
    Segment,
    SuspectClip,
    Thumbnail,
    TrackResult,
    VideoStream,
    WeightsCard,
    WeightsInfo,
)

TRAINED = WeightsInfo(name="small", sha256="5e" * 32, trained=True)
UNTRAINED = WeightsInfo(name="tiny", sha256="0d" * 32, trained=False)
SOUND = AudioStream(codec="aac", sample_rate_hz=44_100, channels=2, duration_s=30.0)
PICTURE = VideoStream(codec="h264", width=1280, height=720, fps=29.97, rotation_deg=90, duration_s=30.03)


def jpeg(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    picture = np.full((112, 112, 3), rng.integers(60, 140, 3), dtype=np.uint8)
    cv2.circle(picture, (56, 56), 38, (150, 175, 215), -1)
    for x in (42, 70):
        cv2.circle(picture, (x, 46), 5, (40, 30, 30), -1)
    cv2.ellipse(picture, (56, 72), (14, 3 + seed % 6), 0, 0, 360, (60, 60, 160), -1)
    ok, data = cv2.imencode(".jpg", picture)
    assert ok
    return data.tobytes()


def timeline(start_s, n, *, seed=0, fake=(), null=(), modalities=("video", "audio", "sync")):
    rng = np.random.default_rng(seed)
    seconds = []
    for i in range(n):
        base = 0.88 if i in fake else 0.18
        scores = {name: float(np.clip(base + rng.normal(0, 0.06), 0, 1)) for name in modalities}
        if i in null:
            scores = {}
        overall = max(scores.values(), default=None)
        seconds.append(Second(start_s=start_s + i, end_s=start_s + i + 1, overall=overall, **scores))
    return seconds


def track(track_id, *, start_s=0.0, n=30, seed=0, fake=(), null=(), score=0.2, **changes):
    fields = {
        "track_id": track_id,
        "status": "scored",
        "score": score,
        "scores": Scores(video=score, audio=0.2, sync=score),
        "start_s": start_s,
        "end_s": start_s + n,
        "face_px": 181.4,
        "frames_seen": 16 * n - 3,
        "frames_missed": 3,
        "clips": 2 * n - 1,
        "timeline": timeline(start_s, n, seed=seed, fake=fake, null=null),
        "thumbnails": [
            Thumbnail(time_s=start_s + 1.5 * i, score=None if i == 3 else 0.9 - 0.01 * i, jpeg=jpeg(seed + i))
            for i in range(4)
        ],
    }
    return TrackResult(**fields | changes)


def scored(**changes):
    fake, null = range(8, 14), range(20, 23)
    fields = {
        "path": "/uploads/interview.mp4",
        "sha256": "ab" * 32,
        "status": "scored",
        "score": 0.913,
        "scores": Scores(video=0.91, audio=0.21, sync=0.87),
        "segments": [
            Segment(start_s=8.0, end_s=14.0, modality="video", score=0.97, track_id=1),
            Segment(start_s=9.0, end_s=13.5, modality="sync", score=0.93, track_id=1),
        ],
        "timeline": timeline(0, 30, fake=fake, null=null),
        "tracks": [track(1, n=30, fake=fake, null=null, score=0.913)],
        "media": MediaInfo(container="mov,mp4", duration_s=30.03, size_bytes=7_654_321, video=PICTURE, audio=SOUND),
        "duration_s": 30.03,
        "weights": TRAINED,
        "timings_s": {"decode": 1.234, "detect": 4.5, "model": 3.21},
    }
    return Detection(**fields | changes)


def heat_map(seed, *, stream="video", source="attention", explains=True):
    shape = (7, 7) if stream == "video" else (4, 20)
    check = Occlusion(
        hidden_share=0.2, score=0.91, score_marked_hidden=0.59 if explains else 0.9,
        scores_elsewhere_hidden=[0.87, 0.83, 0.9, 0.92], explains=explains,
    )  # fmt: skip
    values = np.random.default_rng(seed).random(shape).round(4).tolist()
    picture = jpeg(seed)
    sha256 = hashlib.sha256(picture).hexdigest()
    return HeatMap(
        stream=stream, source=source, values=values, occlusion=check, picture_sha256=sha256, jpeg=picture
    )  # fmt: skip


def explained(**changes):
    clip = SuspectClip(
        start_s=9.0, end_s=10.0, track_id=1, score=0.91, shown_s=9.5, face_jpeg=jpeg(20), sound_jpeg=jpeg(21),
        face_sha256=hashlib.sha256(jpeg(20)).hexdigest(), sound_sha256=hashlib.sha256(jpeg(21)).hexdigest(),
        maps=[heat_map(30), heat_map(31, source="where", explains=False), heat_map(32, stream="audio")],
    )  # fmt: skip
    moments = [
        Thumbnail(time_s=1.5 * i, score=0.9 - 0.1 * i, kind="most" if i < 3 else "least", jpeg=jpeg(i),
                  picture_sha256=hashlib.sha256(jpeg(i)).hexdigest())
        for i in range(5)
    ]  # fmt: skip
    fields = {
        "path": "/uploads/explained.mp4",
        "tracks": [track(1, n=30, fake=range(8, 14), score=0.913, thumbnails=moments)],
        "suspect_clips": [clip, clip.model_copy(update={"start_s": 11.0, "end_s": 12.0})],
        "card": WeightsCard(
            calibrated=True,
            thresholds={"0.01": 1.1, "0.05": 0.95, "0.1": 0.8},
            error_rates=[
                ErrorRate(input="picture and sound", data="validation files", threshold=0.5, n_real=40, n_fake=80,
                          false_positive_rate=0.05, false_negative_rate=None)
            ],
        ),
    }  # fmt: skip
    return scored(**fields | changes)


def clear():
    return scored(
        path="/uploads/short.mp4", score=0.08, scores=Scores(video=0.08), segments=[],
        timeline=timeline(0, 3, modalities=("video",)), tracks=[], duration_s=3.1,
    )  # fmt: skip


def cannot_tell():
    return scored(
        path="/uploads/landscape.mov", status="cannot_tell", reason="no face and no sound that could be judged",
        score=None, scores=Scores(), segments=[], timeline=[], tracks=[],
        warnings=["The sound is quieter than -60 dBFS throughout."],
    )  # fmt: skip


def error():
    return Detection(path="/uploads/broken.mp4", status="error", reason="moov atom not found: the file is truncated")


def audio_only():
    return scored(
        path="/uploads/phone call.m4a", score=0.71, scores=Scores(audio=0.71), tracks=[],
        segments=[Segment(start_s=2.0, end_s=29.0, modality="audio", score=0.9)],
        timeline=timeline(0, 30, fake=range(2, 29), modalities=("audio",)),
        media=MediaInfo(container="mov,mp4", duration_s=30.0, size_bytes=999, video=None, audio=SOUND),
    )  # fmt: skip


def three_faces():
    unclear = track(
        3, start_s=5, n=4, status="cannot_tell", reason="face too small: 31 px, at least 48 px are needed", score=None,
        scores=Scores(), timeline=[], thumbnails=[], face_px=31, clips=0,
    )  # fmt: skip
    return scored(
        path="/uploads/panel/talk show.mkv",
        warnings=["Sound is 1.8 s shorter than picture.", "2 scene cuts: faces are followed within a scene only."],
        tracks=[
            track(1, n=30, fake=range(8, 14), score=0.913),
            track(2, n=18, start_s=12, seed=4, score=0.22, null=(4,)),
            unclear,
        ],
    )  # fmt: skip


def long_file():
    fake, null = [*range(600, 660), 4000], range(3000, 3300)
    return scored(
        path="/uploads/hearing, 100 minutes.mp4", duration_s=6000.0, timeline=timeline(0, 6000, fake=fake, null=null),
        segments=[
            Segment(start_s=600, end_s=660, modality="overall", score=0.97, track_id=1),
            Segment(start_s=4000, end_s=4001, modality="overall", score=0.9, track_id=2),
        ],
        tracks=[track(i, start_s=1000 * (i - 1), n=990, seed=i, fake=range(600, 660) if i == 1 else (), score=0.9 / i)
                for i in range(1, 8)],
    )  # fmt: skip


HOSTILE = "/up/<script>alert(1)</script> \"quotes' & ünï \u202e4pm.mp4"


def hostile():
    return scored(
        path=HOSTILE, status="cannot_tell", score=None,
        reason="</style><script src=x> 'and' \"onerror=\" {{ 7 * 7 }}\n",
        warnings=["<img src=x onerror=alert(1)>"], timings_s={"<b>stage": 1.0},
        tracks=[track(1, reason="\"><svg onload=alert(1)>")], weights=TRAINED.model_copy(update={"name": "<i>w"}),
    )  # fmt: skip


def untrained():
    return scored(path="/uploads/untrained.mp4", weights=UNTRAINED)


KINDS = (scored, explained, clear, cannot_tell, error, audio_only, three_faces, long_file, hostile, untrained)


def document_of(*files, settings=None):
    settings = Config().model_dump(mode="json") if settings is None else settings
    return make_document(list(files), settings=settings, created="2026-01-02T03:04:05+00:00")

"""A prepared corpus of drawn people who speak, large enough to compare files of real and of forged clips."""

import numpy as np

from hashformer.config import load_config
from hashformer.data.manifest import Row
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import write_samples
from hashformer.results import MediaInfo
from hashformer.types import FaceTrack, Sample
from make_talker import talking_clip

_TINY = load_config("tiny")
CONFIG = _TINY.model_copy(update={"faces": _TINY.faces.model_copy(update={"size_px": 96})})
"""At the tiny preset's own 32 px there is nothing of a mouth to forge."""
_INFO = MediaInfo(container="mp4", duration_s=None, size_bytes=1, video=None, audio=None)


def talker(seed, *, n_frames=40, sound=True, face=True, gaps=()):
    """A Sample of a drawn face and of a voice that rises and falls, as loud as the seed has it."""
    clip = talking_clip(n_frames, size_px=CONFIG.faces.size_px, seed=seed, gaps=gaps)
    rng = np.random.default_rng(seed)
    # Everyone's picture is of another brightness and detail, everyone's voice of another pitch and level.
    frames = (clip.frames * rng.uniform(0.5, 1.0)).astype(np.uint8)
    n_samples = n_frames * 1000
    times = np.arange(n_samples) / 16_000
    pitch = rng.uniform(90, 240) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * times))
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    voice = sum(np.sin(k * phase) / k for k in range(1, 12)) * np.clip(np.sin(2 * np.pi * 3 * times + seed), 0, 1)
    waveform = (rng.uniform(0.03, 0.2) * voice + rng.normal(0, 1e-3, n_samples)).astype(np.float32)
    track = FaceTrack(
        track_id=0, window=clip.window, crops=frames, landmarks=clip.landmarks, boxes=clip.boxes.astype(np.float32)
    )
    return Sample(
        window=clip.window,
        sample_rate_hz=16_000,
        waveform=waveform if sound else None,
        waveform_present=np.ones(n_samples, np.bool_) if sound else None,
        picture_present=np.ones(n_frames, np.bool_),
        tracks=(track,) if face else (),
    )


def make_talkers(root, n, *, splits=("train",), **settings):
    """`n` prepared real files of as many people, in turn of the splits; their rows."""
    rows = []
    for i in range(n):
        path = f"real/person {i}.mp4"
        sample = talker(i, **{"n_frames": 32 + 4 * (i % 3)} | settings)
        write_samples(
            root / path,
            [sample],
            source=Source(path=path, sha256="0" * 64, media=_INFO),
            settings=PrepareSettings.of(CONFIG),
        )
        split = splits[i % len(splits)]
        rows.append(
            Row(path=path, label=0, identity_source=f"p{i}", corpus="drawn", split=split, groups={"light": "x"})
        )
    return rows

"""A small prepared corpus of smooth faces that move and of speech-like sound, for loaders and draws."""

import numpy as np

from hashformer.config import load_config
from hashformer.data.manifest import Row
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import write_samples
from hashformer.results import MediaInfo
from hashformer.timebase import Window
from hashformer.types import FaceTrack, Sample
from make_faces import speech_like

CONFIG = load_config("tiny")
SIZE = CONFIG.faces.size_px
INFO = MediaInfo(container="mp4", duration_s=None, size_bytes=1, video=None, audio=None)


def moving_sample(n_frames, seed, *, sound=True, face=True):
    """A Sample whose crops and landmarks differ from frame to frame and from seed to seed."""
    rng = np.random.default_rng(seed)
    window = Window(0, n_frames, CONFIG.clip.fps)
    ramp = np.linspace(40, 160, SIZE)
    picture = ramp[None, None, :, None] + 20 * np.sin(np.arange(n_frames) / 2 + seed)[:, None, None, None]
    still = rng.uniform(6, SIZE - 6, (1, 478, 2))
    track = FaceTrack(
        track_id=0,
        window=window,
        crops=np.broadcast_to(picture + 3 * seed, (n_frames, 3, SIZE, SIZE)).astype(np.uint8),
        landmarks=(still + np.sin(np.arange(n_frames))[:, None, None]).astype(np.float32),
        boxes=np.tile(np.array([0, 0, 100, 120], np.float32), (n_frames, 1)),
    )
    n_samples = window.samples(16_000)[1]
    return Sample(
        window=window,
        sample_rate_hz=16_000,
        waveform=speech_like(n_samples / 16_000, seed=seed) if sound else None,
        waveform_present=np.ones(n_samples, np.bool_) if sound else None,
        picture_present=np.ones(n_frames, np.bool_),
        tracks=(track,) if face else (),
    )


def make_corpus(root):
    """Five real files of 3 to 5 s of four people, one silent, one without a face, and a fake; their rows."""
    rows = []
    for i in range(6):
        path = f"{'fake' if i == 5 else 'real'}/clip {i} (x).mp4"
        write_samples(
            root / path,
            [moving_sample(48 + 8 * (i % 5), i, sound=i != 3, face=i != 4)],
            source=Source(path=path, sha256="0" * 64, media=INFO),
            settings=PrepareSettings.of(CONFIG),
        )
        fake = {"label": 1, "video_fake": True, "audio_fake": False, "method": "swap"} if i == 5 else {"label": 0}
        rows.append(Row(path=path, identity_source=f"p{max(i, 1)}", corpus="small", **fake))
    return rows

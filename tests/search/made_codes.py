"""Codes of videos that do not exist: every file has its own, and they change slowly as a video's do."""

import numpy as np

from hashformer.search.codes import FileCodes, FileVectors, StreamCodes, StreamVectors, pack

STREAMS = ("audio", "landmarks", "video")
WIDTH = 12


def made_vectors(seed, *, seconds=10.0, streams=STREAMS, name=None):
    """A file whose vectors lie around a place of its own and wander from window to window."""
    rng = np.random.default_rng(seed)
    n_windows = round(seconds * 2) - 1
    parts = {}
    for stream in streams:
        steps = rng.standard_normal((n_windows, WIDTH)) * 0.3
        vectors = (rng.standard_normal(WIDTH) + np.cumsum(steps, axis=0)).astype(np.float32) + 5
        parts[stream] = StreamVectors(
            starts_s=(np.arange(n_windows) / 2).astype(np.float32),
            tracks=np.full(n_windows, -1 if stream == "audio" else 0, np.int32),
            vectors=vectors,
            own_codes=pack(vectors @ np.random.default_rng(0).standard_normal((WIDTH, 64)) >= 0),
        )
    sha256 = f"{seed:064x}"
    return FileVectors(sha256=sha256, name=name or f"file {seed}.mp4", duration_s=seconds, window_s=1.0, streams=parts)


def made_codes(seed, **kwargs):
    """The same as plain codes, spread evenly."""
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((WIDTH, 64))
    file = made_vectors(seed, **kwargs)
    streams = {
        name: StreamCodes(starts_s=part.starts_s, tracks=part.tracks, codes=pack((part.vectors - 5) @ matrix >= 0))
        for name, part in file.streams.items()
    }
    return FileCodes(
        sha256=file.sha256, name=file.name, duration_s=file.duration_s, window_s=file.window_s, streams=streams
    )


def copy_of(codes, *, trim_s=0.0, flips=0.0, seed=0):
    """A copy of a file: trimmed at the start, with some of its bits turned."""
    rng = np.random.default_rng(seed)
    streams = {}
    for name, part in codes.streams.items():
        here = part.starts_s >= trim_s
        turned = np.packbits(rng.random((int(here.sum()), 64)) < flips, axis=1)
        streams[name] = StreamCodes(
            starts_s=part.starts_s[here] - np.float32(trim_s),
            tracks=part.tracks[here],
            codes=part.codes[here] ^ turned,
        )
    return FileCodes(
        sha256="c" * 64, name="copy.mp4", duration_s=codes.duration_s - trim_s, window_s=1.0, streams=streams
    )

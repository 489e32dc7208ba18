"""How well the facts of a file, not what it shows or says, tell fake from real: what no forged set may allow."""

import sys
from pathlib import Path

import av
import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hashformer.data.audit.facts import leading_silence_s
from hashformer.data.manifest import read_manifest
from hashformer.media import probe
from hashformer.media.audio import blocks

NAMES = (
    *("size_bytes", "duration_s", "fps", "pixels", "has_video", "has_audio"),
    *("video_bit_rate", "video_packets", "largest_picture", "smallest_picture"),
    *("audio_bit_rate", "audio_packets", "largest_sound", "smallest_sound"),
    *("leading_silence_s", "loudness_db", "first_loudness_db"),
)


def file_statistics(path):
    """The numbers of `NAMES` for one film; 0 where it has no such stream."""
    info = probe(path)
    sizes = {"video": [], "audio": []}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                sizes[packet.stream.type].append(packet.size)
    picture, sound = (
        (8 * sum(each) / info.duration_s, len(each), max(each, default=0), min(each, default=0))
        for each in sizes.values()
    )
    heard = (0.0, 0.0, 0.0)
    if info.audio:
        samples = np.concatenate([block.samples for block in blocks(path, sample_rate_hz=16_000)])
        heard = (leading_silence_s(path), _level(samples), _level(samples[:1600]))
    video = info.video
    shape = (video.fps, video.width * video.height) if video else (0, 0)
    return [info.size_bytes, info.duration_s, *shape, bool(video), bool(info.audio), *picture, *sound, *heard]


def _level(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12)


def aucs(root, *, folds=5, kinds=None):
    """AUC of a linear classifier and of boosted trees on statistics of files, people of a fold unseen in training."""
    rows = read_manifest(root / "manifest.csv")
    if kinds is not None:
        originals = {row.original for row in rows if row.method in kinds}
        rows = [row for row in rows if row.method in kinds or row.path in originals]
    numbers = np.array([file_statistics(root / row.path) for row in rows], float)
    labels = np.array([row.label for row in rows])
    people = [(row.identity_target or row.original) if row.label else (row.identity_source or row.path) for row in rows]
    groups = np.unique(people, return_inverse=True)[1]
    models = {
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "trees": GradientBoostingClassifier(random_state=0),
    }
    cut = GroupKFold(folds)
    found = {}
    for name, model in models.items():
        scores = cross_val_predict(model, numbers, labels, groups=groups, cv=cut, method="predict_proba")[:, 1]
        found[name] = roc_auc_score(labels, scores)
    single = {name: roc_auc_score(labels, column) for name, column in zip(NAMES, numbers.T, strict=True)}
    return found, {name: max(auc, 1 - auc) for name, auc in single.items()}


if __name__ == "__main__":
    for result in aucs(Path(sys.argv[1]), kinds=set(sys.argv[2:]) or None):
        for name, auc in result.items():
            sys.stdout.write(f"{name:20} {auc:.3f}\n")

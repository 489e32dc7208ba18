"""Leaves epochs half-way, or is killed in one: test_leaving.py runs it as a process of its own and reads its errors."""

import os
import signal
import sys

import numpy as np
from torch.utils.data import IterableDataset

from hashformer.config import FeatureConfig
from hashformer.data.dataset import loader_of
from hashformer.data.features import SoundFeatures
from hashformer.data.loaded import CollateExamples, Example
from hashformer.timebase import Window
from hashformer.types import Clip

FEATURES = SoundFeatures(FeatureConfig(), sample_rate_hz=16_000)


class Endless(IterableDataset):
    """Clips of full size without end, so that the queue is always being fed."""

    def __iter__(self):
        clip = Clip(
            window=Window(0, 16, 16),
            track_id=0,
            frames=np.zeros((16, 3, 224, 224), np.uint8),
            landmarks=np.zeros((16, 478, 2), np.float32),
            boxes=np.zeros((16, 4), np.float32),
            waveform=np.zeros(16_240, np.float32),
            context_samples=FEATURES.context_samples,
        )
        while True:
            yield Example(clip=clip, second=None, labels={"overall": 0.0}, row_idx=0)


def main():
    for _ in range(int(sys.argv[1])):
        for count, _loaded in enumerate(loader_of(Endless(), CollateExamples(FEATURES), batch_size=12, workers=2)):
            if count == 2 and sys.argv[2:] == ["killed"]:
                os.kill(os.getpid(), signal.SIGKILL)
            if count == 2:
                break


if __name__ == "__main__":
    main()

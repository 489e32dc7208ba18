"""Clips a second that the loader gives, and whether its memory stays flat.

python benchmarks/loader.py PREPARED --workers 2 --clips 5000
"""

import argparse
import json
import resource
import time
from pathlib import Path

from hashformer.config import load_config
from hashformer.config.views import STRONG, WEAK
from hashformer.data.dataset import PreparedClips, clip_loader
from hashformer.data.features import SoundFeatures
from hashformer.data.manifest import Row


def main() -> None:
    """Draw whole epochs until enough clips were seen; print a line of JSON every tenth of the way and at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--views", type=int, choices=(0, 1, 2), default=1)
    args = parser.parse_args()
    config = load_config(args.preset)
    features = SoundFeatures(config.features, sample_rate_hz=config.clip.sample_rate_hz)
    folders = sorted(record.parent for record in args.prepared.rglob("sample.json"))
    rows = [Row(path=folder.relative_to(args.prepared).as_posix(), label=0) for folder in folders]
    data = PreparedClips(
        rows,
        args.prepared,
        clip=config.clip,
        context_samples=features.context_samples,
        quality=config.quality,
        draw="balanced",
        views=(WEAK, STRONG)[: args.views],
    )
    n_clips, start, reported = 0, time.perf_counter(), 0
    while n_clips < args.clips:
        for loaded in clip_loader(data, features, batch_size=args.batch_size, workers=args.workers):
            n_clips += len(loaded.row_idx)
            if n_clips >= reported + args.clips // 10:
                reported = n_clips
                print(json.dumps(_figures(n_clips, time.perf_counter() - start)), flush=True)
        data.epoch += 1
    print(json.dumps(_figures(n_clips, time.perf_counter() - start)), flush=True)


def _figures(n_clips: int, seconds: float) -> dict[str, float]:
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workers_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "clips": n_clips,
        "clips_per_s": round(n_clips / seconds, 1),
        "cpu_s_of_this_process": round(_cpu_s(resource.RUSAGE_SELF), 1),
        "cpu_s_of_ended_workers": round(_cpu_s(resource.RUSAGE_CHILDREN), 1),
        "peak_mb": round(peak_kb / 1024),
        "peak_ended_worker_mb": round(workers_kb / 1024),
    }


def _cpu_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()

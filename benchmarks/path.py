"""How long each stage of `hashformer detect` takes, from file to answer, on the same films, by turns.

python benchmarks/path.py FILMS --batches 1 4 8 --out path.json
python benchmarks/path.py FILMS --media clip.mp4 other.mp4 --threads 1 2

FILMS is a folder for the films that are made, 720p and 1080p with one face. All variants take each film in turn, round
after round, so that what else the machine does meets all alike; a ratio is the median of those of single rounds. Peak
memory is that of a fresh process for each. CPU seconds count all threads.
"""

import argparse
import json
import os
import platform
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from films import talking

from hashformer.system import keep_freed_memory, share_cores

share_cores()
keep_freed_memory()

import torch  # noqa: E402

import hashformer.detector as detector_module  # noqa: E402
import hashformer.preprocess.extract as extract_module  # noqa: E402
from hashformer.detector import Detector  # noqa: E402
from hashformer.detector.backend import Backend  # noqa: E402

STAGES = ("decode", "detect", "landmarks", "crop", "features", "model")


@dataclass(frozen=True)
class Variant:
    """What is measured: how the detector is set."""

    weights: str
    backend: Backend
    device: str
    batch: int
    threads: int
    way: str = "as it is"

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return f"{Path(self.weights).stem} {self.backend}, batch {self.batch}, {self.threads} threads, {self.way}"


WAYS: dict[str, tuple[float | None, int]] = {
    "as it is": (None, 1),
    "detector on every frame": (0.0, 1),
    "one after another": (None, 0),
    "both": (0.0, 0),
}
"""Ways to run it that are compared: how often the detector is asked, if not as configured, and what works ahead."""


class Timed:
    """A detector, and what its runs took."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        torch.set_num_threads(variant.threads)
        self.detector = Detector(
            variant.weights, device=variant.device, batch_size=variant.batch, backend=variant.backend
        )
        often_s, self._n_ahead = WAYS[variant.way]
        if often_s is not None:
            self.detector._finder.config = self.detector._finder.config.model_copy(update={"detect_every_s": often_s})
        self.runs: list[dict[str, float]] = []
        self._events: list[tuple[Any, Any]] = []
        network = self.detector.loaded.network
        if variant.device.startswith("cuda") and network is not None:
            network.model.register_forward_pre_hook(lambda *_: self._mark(0))
            network.model.register_forward_hook(lambda *_: self._mark(1))

    def run(self, path: Path) -> None:
        """Score a film once."""
        torch.set_num_threads(self.variant.threads)
        self._events.clear()
        detector_module.SAMPLES_AHEAD = self._n_ahead
        extract_module.PICTURES_AHEAD = 4 * self._n_ahead
        start, used = time.perf_counter(), time.process_time()
        found = self.detector.detect(path)
        row = {"all": time.perf_counter() - start, "cpu": time.process_time() - used, **found.timings_s}
        row["rest"] = row["all"] - sum(row.get(stage, 0.0) for stage in STAGES)
        if self._events:
            torch.cuda.synchronize()
            row["on_device"] = sum(before.elapsed_time(after) for before, after in self._events) / 1000
        row["media_s"] = found.duration_s or 0.0
        self.runs.append(row)

    def _mark(self, end: int) -> None:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        if end:
            self._events[-1] = (self._events[-1][0], event)
        else:
            self._events.append((event, event))


def main() -> None:
    """Print a table for each film; write JSON."""
    args = _arguments()
    films = args.media or [talking(args.films, height=height, duration_s=args.seconds) for height in args.heights]
    variants = [
        Variant(weights, backend, args.device, batch, threads, way)
        for way in args.ways
        for weights in args.weights
        for backend in args.backends
        for batch in args.batches
        for threads in args.threads
    ]
    told: dict[str, Any] = {"machine": machine(), "films": []}
    for film in films:
        found = measure(variants, film, rounds=args.rounds)
        for row in found:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                row["peak_mb"] = pool.submit(peak_mb, Variant(**row["variant"]), film).result()
        told["films"].append({"film": film.name, "variants": found})
        print(_table(film, found), flush=True)
    told["machine"]["load_at_end"] = os.getloadavg()[0]
    if args.out:
        args.out.write_text(json.dumps(told, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="folder for the films that are made")
    parser.add_argument("--media", type=Path, nargs="*", help="films to take instead")
    parser.add_argument("--heights", type=int, nargs="+", default=[720, 1080])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--weights", nargs="+", default=["small"])
    parser.add_argument("--backends", nargs="+", default=["torch"], choices=["torch", "onnxruntime"])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads()], help="of the model")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ways", nargs="+", default=["as it is"], choices=list(WAYS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def machine() -> dict[str, Any]:
    """What was measured on."""
    packages = ("torch", "mediapipe", "av", "opencv-contrib-python", "numpy")
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def measure(variants: list[Variant], film: Path, *, rounds: int) -> list[dict[str, Any]]:
    """Score a film with every variant by turns; medians, quartiles and ratios to the first variant."""
    timed = [Timed(variant) for variant in variants]
    for entry in timed:
        entry.run(film)  # warms up
        entry.runs.clear()
    for _ in range(rounds):
        for entry in timed:
            entry.run(film)
    for entry in timed:
        entry.detector.close()
    return [_summary(entry, timed[0]) for entry in timed]


def _summary(entry: Timed, first: Timed) -> dict[str, Any]:
    names = entry.runs[0]
    ratios = [theirs["all"] / own["all"] for theirs, own in zip(first.runs, entry.runs, strict=True)]
    return {
        "variant": asdict(entry.variant),
        "name": entry.variant.name,
        "median_s": {name: statistics.median(run[name] for run in entry.runs) for name in names},
        "quartiles_s": np.quantile([run["all"] for run in entry.runs], (0.25, 0.75)).tolist(),
        "speed": statistics.median(ratios),
        "runs": entry.runs,
    }


def peak_mb(variant: Variant, film: Path) -> float:
    """Peak memory of this process, 10⁶ bytes, all imports and one run included."""
    Timed(variant).run(film)
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024 / 1e6


def _table(film: Path, rows: list[dict[str, Any]]) -> str:
    width = max(len(row["name"]) for row in rows)
    heads = [f"{name:>9}" for name in (*STAGES, "rest")]
    lines = [f"{film.name}, load {os.getloadavg()[0]:.1f}; ms for a second of film"]
    lines.append(f"{'':{width}} {'x real':>7} {'quartiles':>11} {'ratio':>6} {'MB':>6} {'CPU':>6} {''.join(heads)}")
    for row in rows:
        took = row["median_s"]
        media_s = took["media_s"]
        spread = "–".join(f"{media_s / value:.1f}" for value in reversed(row["quartiles_s"]))
        parts = "".join(f"{1000 * took.get(name, 0.0) / media_s:9.1f}" for name in (*STAGES, "rest"))
        lines.append(
            f"{row['name']:{width}} {media_s / took['all']:7.2f} {spread:>11} {row['speed']:6.2f} "
            f"{row['peak_mb']:6.0f} {1000 * took['cpu'] / media_s:6.0f} {parts}"
        )
        floor = took.get("decode", 0.0) + took.get("landmarks", 0.0)
        lines.append(f"{'':{width}} {media_s / floor:7.2f} with decoding and landmarks alone" if floor else "")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

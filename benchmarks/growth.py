"""How time and memory grow with length, faces, batch and stride: measured, then drawn.

python benchmarks/growth.py FILMS --out growth.json --plot docs/img/performance_growth.png

Each point is a fresh process that scores one film, so that its peak memory is its own. Time is that of the run, not of
the imports; CPU seconds count all threads.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from films import talking
from path import machine

AXES = {
    "length": ("length of the film, minutes", (1 / 6, 1 / 3, 1.0, 2.0, 5.0, 10.0, 20.0)),
    "faces": ("faces", (1, 2, 3, 4, 5, 6)),
    "batch": ("clips in a batch", (1, 2, 4, 8, 16)),
    "stride": ("from clip to clip, seconds", (0.25, 0.5, 1.0)),
}
_ONE = """
import json, sys, time
from pathlib import Path
from hashformer.system import keep_freed_memory, share_cores
share_cores()
keep_freed_memory()
from hashformer.cli import main
from hashformer.detector import Detector
from hashformer.model.weights import load_model, save_model
film, weights, batch, stride = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
with Detector(weights, batch_size=batch or None) as detector:
    clip = detector.config.clip.model_copy(update={"stride_s": stride})
    detector.config = detector.config.model_copy(update={"clip": clip})
    start, used = time.perf_counter(), time.process_time()
    found = detector.detect(film)
    wall, cpu = time.perf_counter() - start, time.process_time() - used
lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak = int(lines["VmHWM"].split()[0]) * 1024 / 1e6
print(json.dumps({"media_s": found.duration_s, "wall_s": wall, "cpu_s": cpu, "peak_mb": peak, "status": found.status,
                  "faces": len(found.tracks), "stages": found.timings_s}))
"""


def main() -> None:
    """Measure what is asked for, add it to what was measured before, and draw all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="folder for the films that are made")
    parser.add_argument("--axes", nargs="*", choices=list(AXES), default=list(AXES))
    parser.add_argument("--weights", default="small")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--longest", type=float, default=20.0, help="minutes")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    told = json.loads(args.out.read_text()) if args.out.is_file() else {"machine": machine(), "axes": {}}
    for axis in args.axes:
        told["axes"][axis] = list(_points(axis, args))
        args.out.write_text(json.dumps(told, indent=1))
    if args.plot:
        draw(told["axes"], args.plot)


def _points(axis: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for value in AXES[axis][1]:
        if axis == "length" and value > args.longest:
            continue
        setting: dict[str, Any] = {"height": 360, "duration_s": 20.0, "n_faces": 1, "batch": 0, "stride": 0.5}
        changes: dict[str, dict[str, Any]] = {
            "length": {"duration_s": round(60 * value)},
            "faces": {"n_faces": int(value), "height": 720},
            "batch": {"batch": int(value)},
            "stride": {"stride": value},
        }
        setting |= changes[axis]
        film = talking(args.films, **{name: setting[name] for name in ("height", "duration_s", "n_faces")})
        command = [sys.executable, "-c", _ONE, str(film), args.weights, str(setting["batch"]), str(setting["stride"])]
        # A long film is one measurement: its spread is that of its own minutes.
        rounds = 1 if setting["duration_s"] > 120 else args.rounds
        runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(rounds)]
        point = {"value": value, "load": os.getloadavg()[0], "runs": runs}
        for name in ("media_s", "wall_s", "cpu_s", "peak_mb"):
            point[name] = statistics.median(run[name] for run in runs)
        print(axis, {name: point[name] for name in point if name != "runs"}, flush=True)
        yield point


def draw(axes: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """One column for each axis: seconds above, memory below."""
    figure, panels = plt.subplots(2, len(axes), figsize=(3.2 * len(axes), 5.2), squeeze=False, layout="constrained")
    for column, (axis, points) in enumerate(axes.items()):
        values = [point["value"] for point in points]
        per_s = axis != "length"
        scale = [point["media_s"] if per_s else 1.0 for point in points]
        for name, label, style in (("wall_s", "elapsed", "o-"), ("cpu_s", "all cores", "s--")):
            panels[0, column].plot(
                values, [p[name] / s for p, s in zip(points, scale, strict=True)], style, label=label
            )
        panels[1, column].plot(values, [point["peak_mb"] for point in points], "o-", color="tab:green")
        panels[0, column].set_ylabel("seconds for a second of film" if per_s else "seconds")
        panels[1, column].set_ylabel("peak memory, MB")
        panels[1, column].set_xlabel(AXES[axis][0])
        for panel in panels[:, column]:
            panel.set_ylim(bottom=0)
            panel.set_xlim(left=0)
            panel.grid(alpha=0.3)
            panel.spines[["top", "right"]].set_visible(False)
    panels[0, 0].legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()

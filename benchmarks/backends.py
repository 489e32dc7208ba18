"""What runs the network fastest on this machine: PyTorch, in 32 and 16 bits and compiled, or onnxruntime, also in int8.

python benchmarks/backends.py --presets small base --threads 1 2 --batches 1 4 8 --out backends.json

All variants see the same clips by turns, so that what else the machine does meets all alike; a ratio is the median of
those of single rounds. Each number of threads has its own process. The CPU time counts all threads.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import onnxruntime  # type: ignore[import-untyped]
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

from hashformer.export import OnnxGraph
from hashformer.export.file import cached_graph, cached_path
from hashformer.export.runtime import open_session
from hashformer.model.weights import LoadedModel, load_model
from hashformer.profiling import example_batch
from hashformer.types import HEADS, Batch, ModelOutput

Run = Callable[[Batch], ModelOutput]
BASELINE = "eager fp32"


def main() -> None:
    """Print a row for each preset, number of threads, batch and variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["small", "base"], help="presets or weight files")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 8])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--without", nargs="*", default=[], choices=["bf16", "compile", "onnxruntime", "int8"])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows = []
    for weights in args.presets:
        cached_graph(load_model(weights))  # before any clock runs
        for threads in args.threads:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                rows += pool.submit(measure, weights, threads, args.batches, args.rounds, args.without).result()
    notes = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__, "cores": os.cpu_count(), "rows": rows}
    if args.out:
        args.out.write_text(json.dumps(notes, indent=1))


def measure(weights: str, threads: int, batches: list[int], rounds: int, without: list[str]) -> list[dict[str, Any]]:
    """Time every variant in this process."""
    torch.set_num_threads(threads)
    loaded = load_model(weights)
    variants = _variants(loaded, without)
    rows = []
    for n_clips in batches:
        torch.manual_seed(0)
        batch = example_batch(loaded.config, n_clips)
        row = {"weights": weights, "threads": threads, "batch": n_clips, **_timed(variants, batch, rounds)}
        print(_line(row), flush=True)
        rows.append(row)
    return rows


def _variants(loaded: LoadedModel, without: list[str]) -> dict[str, Run]:
    model = loaded.model
    found: dict[str, Run] = {BASELINE: model}
    if "bf16" not in without:
        found["eager bf16"] = partial(_autocast, model)
    if "compile" not in without:
        found["compile"] = torch.compile(model, dynamic=True)
    if "onnxruntime" not in without:
        found["onnxruntime"] = cached_graph(loaded).model
    if "int8" not in without:
        found["onnxruntime int8"] = _int8(loaded)
    return found


def _autocast(model: Run, batch: Batch) -> ModelOutput:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return model(batch)


def _int8(loaded: LoadedModel) -> OnnxGraph:
    """Weights of matrix products in 8 bits, their inputs rounded as they come; convolutions stay."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            cached_path(loaded), path, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"]
        )
        return OnnxGraph(open_session(path.read_bytes(), threads=None, source="int8"), loaded.config, source="int8")


@torch.inference_mode()
def _timed(variants: dict[str, Run], batch: Batch, rounds: int) -> dict[str, Any]:
    wall: dict[str, list[float]] = {name: [] for name in variants}
    cpu: dict[str, list[float]] = {name: [] for name in variants}
    answers: dict[str, ModelOutput] = {}
    first_s: dict[str, float] = {}
    for name, run in variants.items():  # also warms up
        start = time.perf_counter()
        answers[name] = run(batch)
        first_s[name] = time.perf_counter() - start
    for _ in range(rounds):
        for name, run in variants.items():
            start, used = time.perf_counter(), time.process_time()
            run(batch)
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - used)
    return {
        "load": os.getloadavg()[0],
        "rounds": rounds,
        "variants": {
            name: {
                "wall_ms": 1000 * statistics.median(wall[name]),
                "wall_ms_quartiles": [1000 * value for value in statistics.quantiles(wall[name], n=4)[::2]],
                "cpu_ms": 1000 * statistics.median(cpu[name]),
                "speed_wall": _ratio(wall[BASELINE], wall[name]),
                "speed_cpu": _ratio(cpu[BASELINE], cpu[name]),
                "first_s": first_s[name],
                "logits_differ": _difference(answers[BASELINE], answers[name]),
            }
            for name in variants
        },
    }


def _ratio(baseline: list[float], own: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(baseline, own, strict=True))


def _difference(ours: ModelOutput, theirs: ModelOutput) -> float:
    return max(float((ours.logits[head].float() - theirs.logits[head].float()).abs().max()) for head in HEADS)


def _line(row: dict[str, Any]) -> str:
    head = f"{row['weights']}, {row['threads']} threads, batch {row['batch']}, load {row['load']:.1f}:"
    parts = [
        f"  {name:17} {cost['wall_ms'] / row['batch']:7.1f} ms a clip ({cost['cpu_ms'] / row['batch']:7.1f} CPU)"
        f"  x{cost['speed_wall']:.2f} (x{cost['speed_cpu']:.2f} CPU)  logits differ by {cost['logits_differ']:.1e}"
        for name, cost in row["variants"].items()
    ]
    return "\n".join([head, *parts])


if __name__ == "__main__":
    main()

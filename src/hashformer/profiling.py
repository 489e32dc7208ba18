"""What a configuration costs: parameters, operations, time and memory, of judging and of training."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hashformer.config import Config, LossConfig
from hashformer.losses import Objective
from hashformer.model import HashFormer
from hashformer.results import Result
from hashformer.types import Batch

ALL_LOSSES = LossConfig(contrast_loss_weight=1, distill_loss_weight=1, mae_loss_weight=1, cls_loss_weight=1)
"""What training is measured with unless told otherwise: the dearest case."""


class PartCost(Result):
    """Cost of one part of the network."""

    parameters: int
    gflops_per_clip: float = Field(description="of training the forward half alone; backward costs about twice that")
    latency_ms: float | None = Field(None, description="null for training, where backward is not told apart")


class PhaseCost(Result):
    """Cost of judging, or of one step of training."""

    parameters: int
    gflops_per_clip: float = Field(description="10⁹ multiplications and additions, counted one by one")
    latency_ms: float = Field(description="median of a clip, after warming up")
    peak_memory_mb: float | None = Field(
        description="10⁶ bytes to construct and run one batch beyond the imports; null where the system does not tell"
    )
    batch_size: int
    parts: dict[str, PartCost]


class Profile(PhaseCost):
    """What `hashformer profile --json` prints."""

    name: str
    threads: int
    training: PhaseCost | None = None


def profile_config(
    config: Config, *, name: str, training: LossConfig | None = None, repeats: int = 5, memory: bool = True
) -> Profile:
    """Measure a configuration on clips of its own length, with every stream it reads.

    Args:
        config: What to measure, with fresh weights.
        name: What to call it.
        training: Also measure a training step with these losses, on two clips, forward and backward.
        repeats: Runs of which the latency is the median.
        memory: Also measure memory, each time in a fresh process.
    """
    inference = _inference(config, repeats, memory)
    return Profile(
        **dict(inference),
        name=name,
        threads=torch.get_num_threads(),
        training=None if training is None else _training(config, training, repeats, memory),
    )


def example_batch(config: Config, n_clips: int) -> Batch:
    """Noise in the shape of clips, with every stream that the model reads."""
    model, seconds = config.model, config.clip.duration_s
    frames, rows = round(seconds * model.video_rate_hz), round(seconds * model.audio_rate_hz)
    size = (n_clips, frames, model.video_channels, model.video_size_px, model.video_size_px)
    read = model.modalities
    return Batch(
        audio=torch.randn(n_clips, rows, model.audio_bins) * 4 - 10 if "audio" in read else None,
        video=torch.rand(size) if "video" in read else None,
        landmarks=torch.rand(n_clips, frames, 2 * model.n_landmarks) if "landmarks" in read else None,
        present={},
    )


def _inference(config: Config, repeats: int, memory: bool) -> PhaseCost:
    model = HashFormer(config.model).eval().requires_grad_(False)
    batch = example_batch(config, 1)
    flops = _count(lambda: model(batch))
    parts = dict(model.named_children())
    clock = _PartClock(parts)
    latency = _latency(lambda: model(batch), repeats)
    return PhaseCost(
        parameters=_parameters(model),
        gflops_per_clip=_at(flops, "Global"),
        latency_ms=latency,
        peak_memory_mb=_in_fresh_process(config, None) if memory else None,
        batch_size=1,
        parts={
            name: PartCost(
                parameters=_parameters(part),
                gflops_per_clip=_under(flops, f"HashFormer.{name}"),
                latency_ms=clock.median_ms(name, repeats + 1),
            )
            for name, part in parts.items()
        },
    )


def _training(config: Config, losses: LossConfig, repeats: int, memory: bool) -> PhaseCost:
    n_clips = 2
    objective = Objective(HashFormer(config.model), losses)
    step = _step(config, objective, n_clips)
    total = _at(_count(step), "Global") / n_clips
    # The counter cannot tell to which part a backward operation belongs.
    flops = _count(_step(config, objective, n_clips, backward=False))
    parts = {f"model.{name}": part for name, part in objective.model.named_children()}
    parts |= {name: part for name, part in objective.named_children() if name != "model"}
    return PhaseCost(
        parameters=_parameters(objective),
        gflops_per_clip=total,
        latency_ms=_latency(step, repeats) / n_clips,
        peak_memory_mb=_in_fresh_process(config, losses) if memory else None,
        batch_size=n_clips,
        parts={
            name: PartCost(parameters=_parameters(part), gflops_per_clip=_under(flops, f"Objective.{name}") / n_clips)
            for name, part in parts.items()
        },
    )


def _step(config: Config, objective: Objective, n_clips: int, *, backward: bool = True) -> Callable[[], None]:
    batch, second = example_batch(config, n_clips), example_batch(config, n_clips)
    labels: dict[str, Tensor] = {head: torch.arange(n_clips) % 2.0 for head in ("video", "audio", "sync")}

    def step() -> None:
        objective.zero_grad(set_to_none=True)
        total = objective(batch, second=second, labels=labels).total
        if backward:
            total.backward()

    return step


def _count(run: Callable[[], object]) -> dict[str, float]:
    # The fused CPU kernel of attention has no formula in the counter; the plain one is counted in full.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        run()
    return {name: float(sum(by_kind.values())) for name, by_kind in counter.get_flop_counts().items()}


def _at(flops: dict[str, float], name: str) -> float:
    return flops.get(name, 0.0) / 1e9


def _under(flops: dict[str, float], name: str) -> float:
    if name in flops:
        return _at(flops, name)
    # A mere container is never called: its members are.
    inner = [key for key in flops if key.startswith(f"{name}.")]
    return sum(_at(flops, key) for key in inner if not any(key.startswith(f"{other}.") for other in inner))


def _latency(run: Callable[[], object], repeats: int) -> float:
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


class _PartClock:
    """Adds up the time spent in each part during each run."""

    def __init__(self, parts: dict[str, nn.Module]) -> None:
        self.runs: dict[str, list[float]] = {name: [] for name in parts}
        for name, part in parts.items():
            for module in part.values() if isinstance(part, nn.ModuleDict) else [part]:
                self._watch(name, module)

    def _watch(self, name: str, module: nn.Module) -> None:
        started = [0.0]

        def before(*_: object) -> None:
            started[0] = time.perf_counter()

        def after(*_: object) -> None:
            self.runs[name].append(1000 * (time.perf_counter() - started[0]))

        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)

    def median_ms(self, name: str, n_runs: int) -> float:
        """Median over the runs of what all calls of the part took in one."""
        calls = self.runs[name]
        share = len(calls) // n_runs
        return statistics.median(sum(calls[i * share : (i + 1) * share]) for i in range(n_runs))


def _in_fresh_process(config: Config, losses: LossConfig | None) -> float | None:
    losses_json = None if losses is None else losses.model_dump_json()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak_mb, config.model_dump_json(), losses_json).result()


def _peak_mb(config_json: str, losses_json: str | None) -> float | None:
    config = Config.model_validate_json(config_json)
    # What the imports hold now, not their own peak: that would hide part of what the model takes.
    before = _memory_mb("VmRSS")
    if before is None:
        return None
    if losses_json is None:
        model = HashFormer(config.model).eval()
        with torch.inference_mode():
            model(example_batch(config, 1))
    else:
        _step(config, Objective(HashFormer(config.model), LossConfig.model_validate_json(losses_json)), 2)()
    peak = _memory_mb("VmHWM")
    return None if peak is None else peak - before


def _memory_mb(field: str) -> float | None:
    # Not getrusage: its peak lives on through exec and would tell of the parent process.
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines[field].split()[0]) * 1024 / 1e6

"""`hashformer profile`: what a configuration costs to run and to train."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from hashformer.profiling import PhaseCost


def profile(
    preset: Annotated[str, typer.Argument(help="A preset, or a YAML file of settings.")] = "small",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    training: Annotated[bool, typer.Option(help="Also measure a training step with every loss on.")] = True,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of which the latency is the median.")] = 5,
) -> None:
    """Measure parameters, operations, latency and memory of a preset, by part."""
    from hashformer.config import load_config
    from hashformer.profiling import ALL_LOSSES, profile_config

    config = load_config(preset)
    with Console(stderr=True).status(f"Measuring {preset}"):
        result = profile_config(config, name=preset, training=ALL_LOSSES if training else None, repeats=repeats)
    if json:
        typer.echo(result.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    console.print(_table(f"{preset}: one clip of {config.clip.duration_s:g} s, {result.threads} threads", result))
    if result.training is not None:
        console.print(_table("training, every loss, forward and backward, for each clip", result.training))


def _table(title: str, cost: "PhaseCost") -> Table:
    memory = "not known" if cost.peak_memory_mb is None else f"{cost.peak_memory_mb:.0f} MB"
    table = Table(title=title, caption=f"peak memory beyond the imports, batch of {cost.batch_size}: {memory}")
    table.add_column("part")
    for heading in ("parameters", "GFLOP", "ms"):
        table.add_column(heading, justify="right")
    for name, part in cost.parts.items():
        latency = "" if part.latency_ms is None else f"{part.latency_ms:.1f}"
        table.add_row(name, f"{part.parameters:,}", f"{part.gflops_per_clip:.2f}", latency)
    table.add_section()
    table.add_row("all", f"{cost.parameters:,}", f"{cost.gflops_per_clip:.2f}", f"{cost.latency_ms:.1f}")
    return table

"""`hashformer forge`: a labelled forged set from real, prepared files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from hashformer.config import Config
    from hashformer.config.forged_set import ForgedSetConfig
    from hashformer.data.forged_set import ForgedSet
    from hashformer.data.forged_work import GroupOutcome
    from hashformer.data.manifest import Row

SHOWN = 20
"""Failures that are printed; all are in failures.csv."""


def forge(
    manifest: Annotated[Path, typer.Argument(help="A manifest, as `hashformer manifest` writes it.")],
    base_dir: Annotated[
        Path, typer.Option("--base_dir", help="Where `hashformer preprocess` put its files.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Top folder of the forged set.", show_default=False)] = None,
    per_clip: Annotated[int, typer.Option(min=1, help="Forgeries of each real clip.")] = 1,
    kinds: Annotated[
        str, typer.Option(help="Draw from these alone, by commas. Default: all that need nothing but clips.")
    ] = "",
    max_seconds: Annotated[float, typer.Option(min=1, max=60, help="Longest clip.")] = 4.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides every draw.")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Files at work at once.")] = 1,
    limit: Annotated[int, typer.Option(min=0, help="Forge only so many files, the first; 0 for all.")] = 0,
    autoencoder: Annotated[
        Path | None, typer.Option(help="Weights for neural_resynthesis, which is then drawn too.")
    ] = None,
    train_autoencoder: Annotated[
        Path | None, typer.Option(help="Train these weights on the training split, write them here, and end.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of --train-autoencoder.")] = 1200,
    config: Annotated[str, typer.Option(help="Preset or YAML file; its rates, clips and quality are used.")] = "small",
) -> None:
    """Write real clips and forgeries of them as a corpus: films, a manifest that labels them, previews.

    A real clip and its forgeries are coded alike, down to the size of every packet. What was made before is
    skipped, so an interrupted run is taken up by the same command. Exit code 1 if a file could not be read.
    """
    from hashformer.config import load_config
    from hashformer.data.manifest import read_manifest

    if (out is None) == (train_autoencoder is None):
        raise typer.BadParameter("name either --out or --train-autoencoder", param_hint="--out")
    rows, loaded = read_manifest(manifest), load_config(config)
    if train_autoencoder is not None:
        _train(rows, base_dir, train_autoencoder, steps=steps, seed=seed)
        return
    if out is None:
        raise typer.BadParameter("name a folder", param_hint="--out")
    settings = _settings(kinds, autoencoder, per_clip=per_clip, max_s=max_seconds, seed=seed)
    made = _run(_prepared(rows, base_dir), (base_dir, out), loaded, settings, limit=limit, workers=workers)
    typer.echo(_text(made, out))
    if made.failures:
        raise typer.Exit(1)


def _settings(kinds: str, autoencoder: Path | None, **settings: float) -> "ForgedSetConfig":
    from hashformer.config.forge import ForgeryChances
    from hashformer.config.forged_set import ForgedSetConfig

    chances = ForgeryChances().by_name
    if autoencoder is not None:
        chances["neural_resynthesis"] = 1.0
    if kinds:
        wanted = [name.strip() for name in kinds.split(",") if name.strip()]
        if unknown := [name for name in wanted if name not in chances]:
            raise typer.BadParameter(
                f"{unknown[0]!r} is no forgery; there are {', '.join(chances)}", param_hint="--kinds"
            )
        chances = {name: float(name in wanted) for name in chances}
    forge = {"chances": chances, "autoencoder": "" if autoencoder is None else str(autoencoder)}
    return ForgedSetConfig.parse({"forge": forge, **settings}, source="forge")


def _prepared(rows: "list[Row]", base_dir: Path) -> "list[Row]":
    from hashformer.data.prepared import prepared_rows

    words = Console(stderr=True, highlight=False)
    reals = [row for row in rows if row.label == 0]
    done, missing = prepared_rows(reals, base_dir)
    if missing:
        words.print(
            f"{len(missing):,} of {len(reals):,} real files were not prepared and are left out, "
            f"{missing[0].path} for one.",
            markup=False,
            soft_wrap=True,
        )
    return done


def _train(rows: "list[Row]", base_dir: Path, target: Path, *, steps: int, seed: int) -> None:
    from hashformer.config.train import RunConfig
    from hashformer.data.forge.learn import learn_autoencoder
    from hashformer.train.split import train_val_rows

    words = Console(stderr=True, highlight=False)
    # The people whom training would hold out: `hashformer train` makes the same split.
    split = train_val_rows(rows, base_dir, fraction=RunConfig().val_fraction, seed=RunConfig().seed)
    people = {name for row in split.val for name in row.identities}
    reals = [row for row in split.train if row.label == 0 and not people & row.identities]
    with words.status(f"Training on the faces in {len(reals):,} real files"):
        learn_autoencoder(reals, base_dir, steps=steps, seed=seed).save(target)
    typer.echo(f"Trained {steps:,} steps on the faces in {len(reals):,} real files. Wrote {target}")


def _run(
    rows: "list[Row]",
    folders: tuple[Path, Path],
    config: "Config",
    settings: "ForgedSetConfig",
    *,
    limit: int,
    workers: int,
) -> "ForgedSet":
    from hashformer.data.forged_set import write_forged_set

    words = Console(stderr=True, highlight=False)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as bar:
        task = bar.add_task("", total=min(limit or len(rows), len(rows)), rate="")
        n_made = 0

        def show(outcome: "GroupOutcome") -> None:
            nonlocal n_made
            n_made += outcome.status == "done"
            minutes = (bar.tasks[task].elapsed or 0) / 60
            bar.update(task, advance=1, rate=f"{n_made / minutes:.1f} files/min" if minutes else "")

        try:
            return write_forged_set(
                rows, *folders, config=config, settings=settings, limit=limit, workers=workers, on_outcome=show
            )
        except KeyboardInterrupt:
            words.print("Interrupted. What is done is kept; the same command goes on from here.")
            raise typer.Exit(130) from None


def _text(made: "ForgedSet", out: Path) -> str:
    n_forged = sum(made.kinds.values())
    lines = [
        f"{made.n_real:,} real clips and {n_forged:,} forgeries of them, from {made.n_files:,} files: "
        f"{made.n_done:,} now, {made.n_skipped:,} before; {len(made.empty):,} allow none, "
        f"{len(made.failures):,} failed.",
        *(f"  {kind}: {count:,}" for kind, count in sorted(made.kinds.items())),
    ]
    if made.refused:
        refused = ", ".join(f"{kind} {count:,}" for kind, count in sorted(made.refused.items()))
        lines.append(f"Tried in vain: {refused}")
    lines += [f"  {name}: {reason}" for name, reason in sorted(made.failures)[:SHOWN]]
    lines.append(f"The manifest: {out / 'manifest.csv'}; what was left out: {out / 'failures.csv'}")
    return "\n".join(lines)

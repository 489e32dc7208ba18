"""The `hashformer` command: verbs, and how errors end it."""

import logging
import sys
from typing import Annotated

import typer

from hashformer.cli.ablate import ablate
from hashformer.cli.audit import audit
from hashformer.cli.baselines import baselines
from hashformer.cli.detect import detect
from hashformer.cli.diffmap import diffmap
from hashformer.cli.doctor import doctor
from hashformer.cli.export import export
from hashformer.cli.forge import forge
from hashformer.cli.index import app as index
from hashformer.cli.manifest import manifest
from hashformer.cli.pack import pack
from hashformer.cli.preprocess import preprocess
from hashformer.cli.pretrain import pretrain
from hashformer.cli.profile import profile
from hashformer.cli.robustness import robustness
from hashformer.cli.serve import serve
from hashformer.cli.train import train
from hashformer.cli.transfer import transfer
from hashformer.cli.validate import validate
from hashformer.errors import HashFormerError
from hashformer.system import keep_freed_memory, share_cores
from hashformer.version import __version__

app = typer.Typer(
    name="hashformer",
    help="Tell real talking-head video from fake, from picture, sound and facial landmarks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
VERBS = (
    *(detect, serve, export, manifest, doctor, audit, preprocess, pack),
    *(forge, pretrain, train),
    *(validate, baselines, robustness, transfer, ablate, diffmap, profile),
)
for verb in VERBS:
    app.command()(verb)
app.add_typer(index, name="index")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command. Exit codes: 0 done, 1 some inputs failed, 2 wrong use, 130 interrupted."""
    share_cores()
    keep_freed_memory()
    logging.basicConfig(level=logging.WARNING, format="hashformer: %(message)s", stream=sys.stderr)
    try:
        app()
    except HashFormerError as error:
        typer.echo(f"hashformer: {error}", err=True)
        sys.exit(2)

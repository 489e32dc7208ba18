"""`hashformer serve`: the REST service and its page."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hashformer.errors import SetupError
from hashformer.system import missing_packages, remedy


def serve(
    config: Annotated[Path | None, typer.Option(help="YAML file of settings, see docs/service.md.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 if not set.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 takes a free one; 8000 if not set.")] = None,
    workers: Annotated[int | None, typer.Option(help="Files scored at once; half of the cores if not set.")] = None,
    work_dir: Annotated[Path | None, typer.Option(help="Folder of uploads, results and the queue.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="A weight file, a released name, or a preset.")] = None,
    api_key_file: Annotated[Path | None, typer.Option(help="File of API keys, one a line.")] = None,
) -> None:
    """Serve detections over HTTP: upload a file, ask for the job, read the report; with a page for people.

    Every setting can also be given as a variable HASHFORMER_<NAME>, or in the file of --config.
    """
    if missing := missing_packages():
        raise SetupError(f"system libraries are missing. As root: {remedy(missing)}")
    try:
        from hashformer.service.server import run_server
        from hashformer.service.settings import load_settings
    except ModuleNotFoundError as error:
        raise SetupError(f"{error.name} is not installed. The service needs: pip install 'hashformer[serve]'") from None

    words = Console(stderr=True, highlight=False)
    options = {"host": host, "port": port, "workers": workers, "work_dir": work_dir, "checkpoint": checkpoint}
    settings = load_settings(config, options={**options, "api_key_file": api_key_file})

    def tell(address: str) -> None:
        typer.echo(address)
        keys = "" if settings.all_keys() else "; no API key is needed"
        words.print(f"Listening on {address}, work folder {settings.work_dir.absolute()}{keys}", soft_wrap=True)

    run_server(settings, on_listen=tell)

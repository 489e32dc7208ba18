"""Run the service: one server on one work folder, until it is told to stop."""

import signal
import socket
from collections.abc import Callable

import uvicorn

from hashformer.errors import ConfigError
from hashformer.preprocess.lock import locked
from hashformer.service.app import make_app
from hashformer.service.service import Service
from hashformer.service.settings import ServiceSettings

GOODBYE_S = 10
"""How long requests that are under way may take when the server is told to stop."""


def run_server(settings: ServiceSettings, *, on_listen: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; then finish requests, put running jobs back and end the workers.

    Args:
        settings: Everything that can be set.
        on_listen: Called with the address when connections are taken.

    Raises:
        StoreError: If another server holds the work folder, or it cannot be used.
        ConfigError: If the address cannot be listened on, or a key is unfit.
        SetupError: If the workers cannot load the detector.
    """
    with locked(settings.work_dir):
        service = Service(settings, on_end=lambda: setattr(server, "should_exit", True))
        config = uvicorn.Config(
            make_app(service),
            http="h11",  # bounds the size of headers; httptools, where it is installed, does not
            log_config=None,
            access_log=False,  # it would hold who asked for which job
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GOODBYE_S,
            lifespan="off",
        )
        server = uvicorn.Server(config)
        listening = _listen(settings)
        host, port = listening.getsockname()[:2]
        service.start()
        try:
            on_listen(f"http://{f'[{host}]' if ':' in host else host}:{port}")
            _run(server, listening)
        finally:
            service.stop()
        if service.pool.error is not None:
            raise service.pool.error


def _listen(settings: ServiceSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"{settings.host}:{settings.port}: cannot be listened on ({error.strerror}). Name another --host or --port."
        ) from error


def _run(server: uvicorn.Server, listening: socket.socket) -> None:
    # Uvicorn sends itself the signal again when it is done, which must not end the process half-way out.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)

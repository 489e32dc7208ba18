"""What all answers share: one shape for errors, and headers that keep browsers careful."""

import errno
import logging
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus

import anyio
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashformer.service.metrics import Metrics
from hashformer.service.pages import NOTHING, SAFE_HEADERS
from hashformer.service.refusals import RefusedError
from hashformer.service.uploads import MAX_RETRY_S, disk_full

logger = logging.getLogger(__name__)

LINGER_S = 5.0


def add_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Give every error the one shape, and count it."""

    def answer(refused: RefusedError, more: Mapping[str, str] | None = None) -> JSONResponse:
        metrics.rejected(refused.code)
        kind = _LingeringResponse if refused.close else JSONResponse
        return kind(refused.body, refused.status, headers={**refused.headers, **(more or {})})

    @app.exception_handler(RefusedError)
    async def _refused(request: Request, error: RefusedError) -> JSONResponse:
        # A body of stated length is let run out unread, so that the client comes to read the answer.
        # One without may never end.
        error.close = error.close or "transfer-encoding" in request.headers
        return answer(error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        code = status.phrase.lower().replace(" ", "_").replace("-", "_")
        message = f"{request.method} {request.url.path[:200]}: {status.phrase.lower()}. The routes: /openapi.json."
        return answer(RefusedError(error.status_code, code, message), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return answer(RefusedError(422, "invalid", told[:500]))

    @app.exception_handler(sqlite3.Error)
    async def _queue(_: Request, error: sqlite3.Error) -> JSONResponse:
        logger.error("the queue: %s", error)
        message = "the queue cannot be read or written at the moment. Try again later."
        return answer(RefusedError(503, "queue_unavailable", message, retry_after_s=MAX_RETRY_S))

    @app.exception_handler(OSError)
    async def _storage(_: Request, error: OSError) -> JSONResponse:
        logger.error("the work folder: %s", error)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return answer(disk_full(MAX_RETRY_S))
        message = "the work folder cannot be read or written at the moment. Try again later."
        return answer(RefusedError(503, "storage_unavailable", message, retry_after_s=MAX_RETRY_S))

    @app.exception_handler(Exception)
    async def _internal(_: Request, error: Exception) -> JSONResponse:
        # The cause is in the server's log; a client must not read it.
        return answer(
            RefusedError(500, "internal", f"the service has a fault ({type(error).__name__}); its log says more.")
        )


def add_headers(app: FastAPI) -> None:
    """Send the careful headers with every answer; a page brings a policy of its own."""
    app.add_middleware(_CarefulHeaders)


class _LingeringResponse(JSONResponse):
    """Answers while the body still comes, and closes when it has ended or a while later.

    Closed at once, the client's system would throw the answer away before the client has read it.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with anyio.move_on_after(LINGER_S):
            while (await receive()).get("more_body", False):
                pass
        await send({"type": "http.response.body", "body": b""})


class _CarefulHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", NOTHING)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)

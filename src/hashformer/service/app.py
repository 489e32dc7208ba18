"""The routes of the service, and their description as OpenAPI."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from hashformer.service import pages
from hashformer.service.answers import add_handlers, add_headers
from hashformer.service.description import ABOUT, UPLOAD_FORM, describe, refusals
from hashformer.service.names import suffix_of
from hashformer.service.refusals import RefusedError
from hashformer.service.schemas import Health, Job
from hashformer.service.service import Service
from hashformer.service.uploads import receive_file
from hashformer.version import __version__

_bearer = HTTPBearer(auto_error=False, description="Needed where the service was started with API keys.")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Ours = Annotated[Service, Depends(_service)]


def _with_key(service: Ours, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    service.keys.check(None if given is None else given.credentials)


jobs = APIRouter(prefix="/v1/detections", tags=["detections"], dependencies=[Depends(_with_key)])
around = APIRouter(tags=["service"])


def make_app(service: Service) -> FastAPI:
    """The web application of a service, which is started and stopped by itself."""
    app = FastAPI(
        title="HashFormer",
        version=__version__,
        description=ABOUT,
        docs_url=None,  # such a page would load its scripts from another server
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.include_router(jobs)
    app.include_router(around)
    add_handlers(app, service.metrics)
    add_headers(app)
    describe(app)
    return app


@jobs.post(
    "",
    status_code=202,
    response_model=Job,
    summary="Hand in a file",
    openapi_extra=UPLOAD_FORM,
    responses=refusals(400, 401, 408, 413, 415, 422, 429, 503, 507),
)
async def create(request: Request, service: Ours) -> Response:
    """Upload one video or sound file as a multipart form. The answer comes when the file is on disk."""
    part = service.folder.new_part()
    with service.gate.room(_length(request)):
        upload = await receive_file(request, part, service.settings)
        try:
            job = await to_thread.run_sync(service.accept, part, upload, suffix_of(upload.name))
        finally:
            part.unlink(missing_ok=True)
    answer = await to_thread.run_sync(service.answer, job)
    return JSONResponse(answer, 202, headers={"Location": f"/v1/detections/{job.id}", "Cache-Control": "no-store"})


def _length(request: Request) -> int | None:
    if "transfer-encoding" in request.headers:  # which then counts, whatever length is stated beside it
        return None
    stated = request.headers.get("content-length", "")
    return int(stated) if stated.isdecimal() else None


@jobs.get("/{id}", response_model=Job, summary="Ask for a job", responses=refusals(401, 404, 503))
def read(id: str, service: Ours) -> Response:
    """State, progress and, when it is done, the result: the same document as the command line prints."""
    return JSONResponse(service.answer(service.find(id)), headers={"Cache-Control": "no-store"})


@jobs.delete(
    "/{id}", status_code=204, response_class=Response, summary="Erase a job", responses=refusals(401, 404, 503)
)
def erase(id: str, service: Ours) -> Response:
    """Erase the job with its upload, result and report. Work at it is ended."""
    service.erase(id)
    return Response(status_code=204)


@jobs.get(
    "/{id}/report",
    response_class=HTMLResponse,
    summary="The report of a job",
    responses=refusals(401, 404, 409, 503),
)
def report(id: str, service: Ours) -> Response:
    """One self-contained HTML page, to read, file and print."""
    html = service.report(id)
    headers = {
        "Content-Security-Policy": pages.report_policy(html),
        "Cache-Control": "no-store",
        "Content-Disposition": f'inline; filename="hashformer-report-{id[:8]}.html"',
    }
    return HTMLResponse(html, headers=headers)


@around.get(
    "/healthz",
    response_model=Health,
    summary="Whether the service is ready",
    responses={503: {"model": Health, "description": "No worker has loaded the weights yet."}},
)
def healthz(service: Ours) -> Response:
    """Ready as soon as a worker has loaded the weights. Also says what the service takes."""
    health = service.health()
    status = 200 if health["status"] == "ready" else 503
    return JSONResponse(health, status, headers={"Cache-Control": "no-store"})


@around.get(
    "/metrics",
    response_class=PlainTextResponse,
    summary="Counters for Prometheus",
    dependencies=[Depends(_with_key)],
    responses=refusals(401, 503),
)
def metrics(service: Ours) -> Response:
    """Jobs by state, queue, workers, seconds by stage, refusals, restarts."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@around.get("/", response_class=HTMLResponse, include_in_schema=False)
def page() -> Response:
    """The page for people."""
    html = pages.read_page()
    if html is None:
        raise RefusedError(404, "no_page", "this installation has no page. Use POST /v1/detections; see /openapi.json.")
    headers = {"Content-Security-Policy": pages.page_policy(html), "Cache-Control": "no-cache"}
    return HTMLResponse(html, headers=headers)

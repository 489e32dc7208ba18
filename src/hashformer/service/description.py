"""How the service describes itself as OpenAPI."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hashformer.service.form import FIELD
from hashformer.service.schemas import Refusal

ABOUT = """Tells real talking-head video from fake. Hand in a file, get a job; ask for the job until it is
`done` or `failed`. Results are erased after a time; a job that is not there any more is a 404."""

UPLOAD_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {"type": "string", "format": "binary", "description": "a video or sound file"}
                    },
                },
                "encoding": {FIELD: {"contentType": "video/*, audio/*, application/octet-stream"}},
            }
        },
    }
}

_RETRY_AFTER = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
_MEANINGS = {
    400: ("disconnected", "The request is broken."),
    401: ("unauthorized", "An API key is needed, and none or a wrong one was sent."),
    404: ("not_found", "No such job, or none any more."),
    408: ("upload_stalled", "The upload stopped, or took too long."),
    409: ("not_done", "The job is not done."),
    413: ("too_large", "The file is larger than the limit."),
    415: ("not_media", "No multipart form, or a file that is not named as media."),
    422: ("no_file", "The form is malformed, or has no file, an empty one or several."),
    429: ("queue_full", "The queue is full; `Retry-After` says when to try again."),
    503: ("queue_unavailable", "The queue or the work folder cannot be used at the moment."),
    507: ("disk_full", "The disk of the service is full."),
}
_WAITS = (429, 503, 507)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error answers of a route, each with an example."""
    return {
        status: {
            "model": Refusal,
            "description": _MEANINGS[status][1],
            "content": {
                "application/json": {
                    "example": {"detail": {"code": _MEANINGS[status][0], "message": _MEANINGS[status][1]}}
                }
            },
            **({"headers": _RETRY_AFTER} if status in _WAITS else {}),
        }
        for status in statuses
    }


def describe(app: FastAPI) -> None:
    """Have the application describe itself without the answers that FastAPI adds and that never come."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            for operations in made["paths"].values():
                for operation in operations.values():
                    _drop_invalid(operation["responses"])
            for name in ("HTTPValidationError", "ValidationError"):
                made["components"]["schemas"].pop(name, None)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _drop_invalid(responses: dict[str, Any]) -> None:
    # The only parameter is any text, which is never invalid.
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]

"""What the service answers, as JSON: these models are its OpenAPI description."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hashformer.results import Document, WeightsInfo
from hashformer.service.jobs import Job as Row
from hashformer.service.jobs import State

_ID = "3f2c8c1e0a5b4d0f9f6d2b7a1c4e8d90"
_QUEUED: dict[str, Any] = {
    "id": _ID,
    "state": "queued",
    "progress": 0.0,
    "position": 3,
    "file": "interview.mp4",
    "size_bytes": 1_482_113,
    "created": "2026-01-31T09:30:00+00:00",
    "started": None,
    "finished": None,
    "expires": None,
    "error": None,
    "result": None,
}
_FAILED = _QUEUED | {
    "state": "failed",
    "position": None,
    "started": "2026-01-31T09:30:02+00:00",
    "finished": "2026-01-31T09:30:03+00:00",
    "expires": "2026-02-01T09:30:03+00:00",
    "error": {
        "code": "unreadable",
        "message": "interview.mp4: is not a video or sound file, or its beginning is damaged.",
    },
}


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Answer):
    """A reason, for programs and for people."""

    code: str
    message: str = Field(description="names the value, the limit and the way out")


class Refusal(_Answer):
    """The body of every error."""

    detail: Problem


class Job(_Answer):
    """A file that was handed in, and what became of it."""

    model_config = ConfigDict(extra="forbid", title="Job", json_schema_extra={"examples": [_QUEUED, _FAILED]})

    id: str = Field(description="by which the job is asked for; who knows it can read the result")
    state: State
    progress: float = Field(ge=0, le=1, description="share of the file that was looked at; 1 at the end")
    position: int | None = Field(description="place in the queue, 1 is next; null when it does not wait")
    file: str = Field(description="the client's file name, for show")
    size_bytes: int = Field(ge=0)
    created: str = Field(description="ISO 8601, UTC, as all times here")
    started: str | None
    finished: str | None
    expires: str | None = Field(description="when job and result are erased")
    error: Problem | None = Field(description="why it failed")
    result: Document | None = Field(description="when done: what `hashformer detect --json` prints for the file")


class Limits(_Answer):
    """What the service takes."""

    max_upload_bytes: int
    max_duration_s: float
    keep_s: float
    needs_key: bool = Field(description="whether requests must carry an API key")


class Health(_Answer):
    """Whether the service can work."""

    status: str = Field(description="`ready` once a worker has loaded the weights, before that `starting`")
    version: str
    workers: int = Field(description="workers that are ready")
    workers_wanted: int
    queued: int
    running: int
    weights: WeightsInfo | None = Field(description="null while starting")
    limits: Limits


def job_answer(row: Row, *, progress: float, position: int | None, result: object) -> dict[str, Any]:
    """A row of the queue as the JSON that `Job` describes.

    Args:
        row: The job.
        progress: Share that a running job has done.
        position: Place of a waiting one.
        result: The document as parsed JSON, or None.
    """
    error = None if row.error_code is None else {"code": row.error_code, "message": row.error_message or ""}
    return {
        "id": row.id,
        "state": row.state,
        "progress": {"queued": 0.0, "running": progress}.get(row.state, 1.0),
        "position": position,
        "file": row.file,
        "size_bytes": row.size_bytes,
        "created": _moment(row.created),
        "started": _moment(row.started),
        "finished": _moment(row.finished),
        "expires": _moment(row.expires),
        "error": error,
        "result": result,
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
